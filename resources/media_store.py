"""Resource `media_store`: stores the audio of every video."""

from dagster import ConfigurableResource

from earshot.storage.media_store import MediaStore


class MediaStoreResource(ConfigurableResource):
    """The store that `EARSHOT_MEDIA` names."""

    def open(self) -> MediaStore:
        """The store; touches no file until it reads or writes audio."""
        return MediaStore()
