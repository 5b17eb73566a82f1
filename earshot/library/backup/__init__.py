"""Backups of a library: written, and restored into an empty home."""
