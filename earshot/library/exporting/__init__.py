"""Exports: files of transcripts, and what other programs subscribe to."""
