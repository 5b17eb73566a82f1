"""Upkeep of the library: what is at work, hints, removals, metrics and webhooks."""
