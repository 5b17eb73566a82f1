"""What Dagster shows of the assets: metadata, checks, tables and code references."""
