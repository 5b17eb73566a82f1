"""Search over passages, by meaning and by word."""
