"""The models and the device they run on. Nothing here knows a video or the database."""
