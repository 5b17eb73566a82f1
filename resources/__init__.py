"""What Dagster hands to the assets: database, device, media source and store, models. Thin classes over earshot/."""
