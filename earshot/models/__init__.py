"""The models and the device they run on. Nothing here depends on videos or the database."""
