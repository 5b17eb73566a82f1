"""Hostile inputs through the real door: each ends in a named state with a clear message, bounded in memory and time."""
