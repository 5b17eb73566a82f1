"""Text embeddings with sentence-transformers, ctranslate2, or a network of our own."""
