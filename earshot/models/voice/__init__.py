"""Diarization and voice embeddings."""
