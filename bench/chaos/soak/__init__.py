"""A soak: `earshot up` at work for an hour, or a day in compressed time, and whether anything grows that must not."""
