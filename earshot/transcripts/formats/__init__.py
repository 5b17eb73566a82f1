"""Transcripts as subtitles, text, JSON, RTTM and SegLST."""
