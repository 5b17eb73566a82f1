"""Storage: Postgres with its migrations, and the media store."""
