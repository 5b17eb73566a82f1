"""Export formats: transcripts as subtitles, text, JSON, RTTM and SegLST."""
