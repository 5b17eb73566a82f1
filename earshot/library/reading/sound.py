"""Sound: a video's stored audio as bytes, to serve or to copy. Decodes nothing."""

from dataclasses import dataclass
from typing import Any

from upath import UPath

from earshot.common.errors import EarshotError, Unknown
from earshot.library.lookup import known_video
from earshot.storage.database import Database
from earshot.storage.media_store import location_of, refetch_remedy
from earshot.storage.stored_audio import why_deleted


@dataclass(frozen=True)
class Sound:
    """A FLAC file of 16 kHz mono: its size in bytes, and `content`, which changes with the samples."""

    location: UPath
    size: int
    content: str

    def read(self, first: int, end: int) -> bytes:
        """These bytes alone: an open file of a remote store would read tens of megabytes ahead."""
        read: Any = self.location.fs.cat_file
        return read(self.location.path, first, end)


def find_sound(database: Database, video: str) -> Sound:
    """The audio of the video with this key or title. Raises Unknown if it has none, EarshotError if the file is gone."""
    found = known_video(database, video)
    rows = database.query("SELECT uri, samples_sha256 FROM audio WHERE video_id = %s", [found.video_id])
    if not rows:
        raise Unknown(f"{found.video_id} has no audio yet (state {found.state}).", f"Ingest it: earshot ingest {found.url!r}")
    location = location_of(rows[0]["uri"])
    try:
        size = location.stat().st_size
    except OSError as error:
        reason = f"The audio of {found.video_id} cannot be read from the media store ({error.strerror or error})."
        raise EarshotError(why_deleted(database, found.video_id) or reason, refetch_remedy(found.video_id)) from error
    return Sound(location, size, rows[0]["samples_sha256"])
