"""The library as one object, for programs: earshot/library/library.py. The command line calls the same functions."""
