"""Earshot's page, measured on a large library."""
