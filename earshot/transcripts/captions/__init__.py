"""Captions that others made: read, cut into passages, and searched until a video's own transcript is made."""
