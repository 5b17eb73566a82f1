"""Numbered SQL files, applied in order by resources/database.py; once released, a file is never edited."""
