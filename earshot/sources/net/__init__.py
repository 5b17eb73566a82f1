"""Requests to sources: sessions, limits, allowed addresses, and the meaning of errors."""
