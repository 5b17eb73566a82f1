"""Work, by Dagster: ingest and backfills; what is stale, and what the stages cost."""
