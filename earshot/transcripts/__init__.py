"""Transcripts: words, their speakers, and the passages, exports and search made from them."""
