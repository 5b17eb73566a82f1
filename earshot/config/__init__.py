"""What a user writes: settings, sources.yaml, people.yaml. Reads and checks, and does nothing else."""
