"""The assets' Dagster resources: database, device, media source and store, models. Thin classes over earshot/."""
