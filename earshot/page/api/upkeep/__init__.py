"""The collection as JSON: videos, sources, hints for both, and backfills."""
