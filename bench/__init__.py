"""What is run to be looked at and measured: the demo and the benchmark. Not part of the distribution."""

import resources  # noqa: F401 - what it sets for the process must be set before any library is imported
