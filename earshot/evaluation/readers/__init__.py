"""Readers of reference files, one function for each format: from text to `Segment`s."""
