"""The embedded Postgres server, and copies of whole databases."""
