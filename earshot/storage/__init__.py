"""Where everything is kept: Postgres with its migrations, and the media store."""
