"""Evaluation: compares transcripts with references, for users, tests and benchmarks alike. No database, no models."""
