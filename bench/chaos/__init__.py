"""Faults at random against a running `earshot up`, and whether anything is lost, doubled or left over after each."""
