"""Who speaks: voices, people, and what users corrected."""
