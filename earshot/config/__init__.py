"""The user's configuration: settings, sources.yaml, people.yaml. Reads and validates, and does nothing else."""
