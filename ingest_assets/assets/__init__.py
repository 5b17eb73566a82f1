"""The assets: five for each video, and `people`, `search_index` and `performance` over all videos."""
