"""Work on many videos: ingest, backfills, runs, workers."""
