"""Reading the library: search, transcripts, exports, playing."""
