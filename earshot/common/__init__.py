"""Shared helpers for errors, times, text and files. Imports nothing else of Earshot, and no database."""
