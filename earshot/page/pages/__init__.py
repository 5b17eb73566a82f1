"""The pages: HTML for people. What a page changes, its scripts change through /api/v1."""
