"""Vectors and times of voices. Pure functions: no database, no Dagster."""
