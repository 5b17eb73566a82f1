"""Sources as users keep them: describes the watched ones, and edits sources.yaml."""
