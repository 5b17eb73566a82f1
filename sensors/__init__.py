"""The sensors and the schedule: work that starts automatically."""
