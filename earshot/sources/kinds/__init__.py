"""Kinds of source: feeds, folders and YouTube."""
