"""Sources: lists them, selects the wanted videos, and fetches, decodes and plays their audio (in `media`)."""
