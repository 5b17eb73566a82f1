"""Lists sources, and selects the wanted videos. earshot/media fetches the media."""
