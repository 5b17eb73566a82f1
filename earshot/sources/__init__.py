"""What a source lists, and which of it is wanted. Media is fetched in earshot/media."""
