"""What is run to be looked at and measured: the demo and the benchmark. Not part of the distribution."""
