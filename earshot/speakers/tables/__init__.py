"""Tables about people and voices."""
