"""Fetching: gets a video's media for an asset, by earshot/sources/media/downloads.py for URLs, in place for local files.

earshot/sources/listing.py lists the videos of a source.
"""

from pathlib import Path

from earshot.common.errors import Removed
from earshot.config.sources_file import Source
from earshot.sources.media.downloads import Fetched, download
from earshot.storage.catalog.entries import is_url
from earshot.storage.catalog.videos import Video


def fetch(video: Video, folder: Path, source: Source) -> Fetched:
    """The video's media file, downloaded to `folder` or already local. Raises a VideoError or DiskFull."""
    if is_url(video.url):
        return download(video, folder, source)
    path = Path(video.url)
    if not path.is_file():
        raise Removed(f"{path} is no longer there.", "Put the file back, or ingest it from its new location.")
    return Fetched(path, "file")
