"""Upkeep of the library: what is at work, changes of sources.yaml, and removals."""
