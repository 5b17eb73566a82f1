"""`python -m bench.people`."""

from bench.people.people import main

main()
