"""News: the videos that became searchable last, whenever they were published."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from earshot.common.errors import WrongCursor
from earshot.storage.catalog.videos import Video, get_video
from earshot.storage.database import Database


@dataclass(frozen=True)
class NewVideo:
    """A ready video, and when its passages were first searchable."""

    video: Video
    searchable_since: datetime


@dataclass(frozen=True)
class News:
    """Some new videos, and the cursor of those before them; None at the end."""

    videos: tuple[NewVideo, ...]
    next: str | None


# The first timing of the stage that makes passages; later ones come from backfills.
_NEW = """
    SELECT video_id, recorded_at, timing_id FROM asset_timings t
    WHERE asset = 'text_embeddings' AND (%(before)s::bigint IS NULL OR timing_id < %(before)s)
        AND (%(since)s::timestamptz IS NULL OR recorded_at > %(since)s)
        AND EXISTS (SELECT FROM videos v WHERE v.video_id = t.video_id AND v.state = 'ready')
        AND NOT EXISTS (SELECT FROM asset_timings earlier WHERE earlier.video_id = t.video_id
            AND earlier.asset = t.asset AND earlier.timing_id < t.timing_id)
    ORDER BY timing_id DESC LIMIT %(most)s
"""


def read_news(database: Database, since: datetime | None, after: str | None, limit: int) -> News:
    """The latest first, after this cursor. Raises EarshotError for a cursor that is none."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    asked = {"since": since, "before": None if after is None else _read_cursor(after), "most": limit + 1}
    with database.snapshot() as snapshot:
        rows = snapshot.query(_NEW, asked)
        videos = tuple(_new(snapshot, row) for row in rows[:limit])
    return News(videos, str(rows[limit - 1]["timing_id"]) if len(rows) > limit else None)


def _new(database: Database, row: dict[str, Any]) -> NewVideo:
    video = get_video(database, row["video_id"])
    assert video is not None  # in this snapshot
    return NewVideo(video, row["recorded_at"])


def _read_cursor(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 18:
        raise WrongCursor(cursor)
    return int(cursor)
