"""Transcripts that others wrote, read from files: references to compare with, and the cues of captions."""
