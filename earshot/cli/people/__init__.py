"""`earshot people` and its commands."""
