"""What a source lists, and which of its videos are wanted. earshot/media fetches the media."""
