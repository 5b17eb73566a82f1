"""`python -m bench.watching`."""

from bench.watching.watching import main

main()
