"""People and corrections, as one object each: `Library.people` and `Library.corrections`."""
