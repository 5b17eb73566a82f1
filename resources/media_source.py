"""Resource `media_source`: a video's media file, downloaded or local."""

from pathlib import Path

from dagster import ConfigurableResource

from earshot.config.sources_file import Source
from earshot.sources.media.downloads import Fetched
from earshot.sources.media.fetching import fetch
from earshot.storage.catalog.videos import Video


class MediaSourceResource(ConfigurableResource):
    """Fetches recordings from their sources."""

    def fetch(self, video: Video, folder: Path, source: Source) -> Fetched:
        """The video's media file; raises a VideoError, or DiskFull."""
        return fetch(video, folder, source)
