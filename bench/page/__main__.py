"""`python -m bench.page`."""

from bench.page.latencies import main

main()
