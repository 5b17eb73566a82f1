"""Tables about videos and sources: what is known of each, and what was asked of Dagster."""
