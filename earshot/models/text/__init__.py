"""Text embeddings with sentence-transformers."""
