"""Commands that search, export and play transcripts."""
