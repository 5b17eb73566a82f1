"""Commands that start work: ingest, backfill, up, worker, down, doctor."""
