"""Diarization and voice embeddings with pyannote.audio."""
