"""Transcripts for others: podcast feeds with chapters, and static sites that a browser searches without a server."""
