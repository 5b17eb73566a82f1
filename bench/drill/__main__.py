"""`python -m bench.drill`."""

from bench.drill.drill import main

main()
