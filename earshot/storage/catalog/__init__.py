"""Tables about videos and sources: their facts and states, and the runs requested of Dagster."""
