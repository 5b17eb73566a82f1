"""Who speaks: voices, people and corrections."""
