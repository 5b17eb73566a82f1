"""The API of upkeep: videos, sources, hints for both, and backfills."""
