"""Text embeddings with sentence-transformers or ctranslate2."""
