"""`python -m bench.scale`."""

from bench.scale.scale import main

main()
