"""Commands that show what was said: search, export, play."""
