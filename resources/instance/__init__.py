"""Everything that configures, subclasses or patches Dagster or Celery."""
