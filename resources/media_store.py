"""Resource `media_store`: the audio of every video, as it is kept."""

from dagster import ConfigurableResource

from earshot.storage.media_store import MediaStore


class MediaStoreResource(ConfigurableResource):
    """The store that `EARSHOT_MEDIA` names."""

    def open(self) -> MediaStore:
        """Reads and writes audio; nothing is touched before that."""
        return MediaStore()
