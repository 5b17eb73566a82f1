"""Work on many videos: ingest, backfills, staleness, runs, workers."""
