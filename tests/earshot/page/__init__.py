"""Earshot's page and its API."""
