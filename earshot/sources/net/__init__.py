"""Requests to sources: sessions, limits, where a connection may lead, what an error means."""
