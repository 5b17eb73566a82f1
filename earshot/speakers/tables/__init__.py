"""The tables about people and voices."""
