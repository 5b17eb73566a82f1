"""What assets are given to get a video's media: over HTTP by earshot/media/downloads.py, local files where they lie.

Which videos a source has is listed in earshot/sources/listing.py.
"""

from pathlib import Path

from earshot.common.errors import Removed
from earshot.config.sources_file import Source
from earshot.media.downloads import Fetched, download
from earshot.storage.catalog.entries import is_url
from earshot.storage.catalog.videos import Video


def fetch(video: Video, folder: Path, source: Source) -> Fetched:
    """The video's media file, in `folder` or where it already lies. Raises a VideoError, or DiskFull."""
    if is_url(video.url):
        return download(video, folder, source)
    path = Path(video.url)
    if not path.is_file():
        raise Removed(f"{path} is no longer there.", "Put the file back, or ingest it from where it is now.")
    return Fetched(path, "file")
