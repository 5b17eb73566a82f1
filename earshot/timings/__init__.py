"""Timings: how long each stage took, whether that is usual, and if not, why."""
