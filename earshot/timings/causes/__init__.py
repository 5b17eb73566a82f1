"""Causes: why a stage computed or waited longer than usual, and what to do about it."""
