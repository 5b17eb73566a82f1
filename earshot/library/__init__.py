"""The library as one object, for programs: earshot/library/library.py. Each method calls what the command line calls."""
