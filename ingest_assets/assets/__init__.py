"""The assets: five per video, and people, search index and performance over all videos."""
