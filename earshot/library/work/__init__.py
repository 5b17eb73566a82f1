"""Work, by Dagster: ingest and backfills."""
