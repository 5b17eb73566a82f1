"""Earshot, the library: everything said on a channel, searchable by meaning, by word and by speaker."""
