"""`python -m bench.search`."""

from bench.search.search import main

main()
