"""Commands that show what is there: videos, sources, stale, timings."""
