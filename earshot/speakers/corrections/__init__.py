"""What users said about who speaks, and what follows from it."""
