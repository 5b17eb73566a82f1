"""Commands that report on the library: videos, sources, stale, timings."""
