"""Captions that sources have of their videos: which of them are of speech, and fetching one file."""
