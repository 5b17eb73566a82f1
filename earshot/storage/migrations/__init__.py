"""Numbered SQL files, applied in order by earshot/storage/database.py; once released, a file is never edited."""
