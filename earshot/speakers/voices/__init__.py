"""Vectors and times of voices: pure functions, no database, no Dagster."""
