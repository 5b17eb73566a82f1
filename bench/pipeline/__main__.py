"""`python -m bench.pipeline`."""

from bench.pipeline.pipeline import main

main()
