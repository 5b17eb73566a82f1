"""The demo and the benchmarks. Not part of the distribution."""

import resources  # noqa: F401 - its process-wide settings must be in place before any library is imported
