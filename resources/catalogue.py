"""The catalogue: table `videos`, what is known of each video and what has become of it.

Partitions carry no data in Dagster, so everything an asset needs comes from here by its partition key. The state of a video
is data: it says what a listing shows and what a retry may do. Functions over a Database; the rows are `Video`s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from resources.database import Database
from resources.errors import EarshotError, VideoError

STAGES = ("audio", "transcript", "speaker_turns", "voice_embeddings", "text_embeddings")


@dataclass(frozen=True)
class Video:
    """One row of `videos`. `url` is an http(s) URL or the absolute path of a local file."""

    video_id: str
    url: str
    source: str
    title: str
    channel: str | None = None
    published_at: datetime | None = None
    duration_s: float | None = None
    state: str = "new"
    attempts: int = 0
    last_error: str | None = None


_COLUMNS = "video_id, url, source, title, channel, published_at, duration_s, state, attempts, last_error"


def register(database: Database, videos: Sequence[Video]) -> None:
    """Add what is new and refresh what a source says of what is known; state, attempts and duration stay."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO videos (video_id, url, source, title, channel, published_at, duration_s)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (video_id) DO UPDATE SET
                url = excluded.url, title = excluded.title,
                channel = coalesce(excluded.channel, videos.channel),
                published_at = coalesce(excluded.published_at, videos.published_at),
                duration_s = coalesce(videos.duration_s, excluded.duration_s), updated_at = now()
            """,
            [(v.video_id, v.url, v.source, v.title, v.channel, v.published_at, v.duration_s) for v in videos],
        )


def find(database: Database, video_id: str) -> Video | None:
    """The video of this key, None where there is none."""
    rows = database.query(f"SELECT {_COLUMNS} FROM videos WHERE video_id = %s", [video_id])  # noqa: S608
    return Video(**rows[0]) if rows else None


def list_videos(database: Database, state: str | None = None) -> list[Video]:
    """All videos, or those of one state; newest upload first, undated ones last."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM videos WHERE %(state)s::text IS NULL OR state = %(state)s "  # noqa: S608
        "ORDER BY published_at DESC NULLS LAST, registered_at DESC, video_id",
        {"state": state},
    )
    return [Video(**row) for row in rows]


def mark_ready_if_complete(database: Database, video_id: str) -> None:
    """Set the state to `ready` once every stage has left a timing; called after each stage."""
    database.query(
        """
        UPDATE videos SET state = 'ready', attempts = 0, last_error = NULL, updated_at = now()
        WHERE video_id = %(video)s AND %(stages)s::text[] <@ ARRAY(
            SELECT DISTINCT asset FROM asset_timings WHERE video_id = %(video)s)
        """,
        {"video": video_id, "stages": list(STAGES)},
    )


def set_duration(database: Database, video_id: str, duration_s: float) -> None:
    """The duration as decoded, in place of what the source claimed."""
    database.query("UPDATE videos SET duration_s = %s, updated_at = now() WHERE video_id = %s", [duration_s, video_id])


def record_failure(database: Database, video_id: str, error: EarshotError) -> None:
    """Keep why a try failed. Only an error of the video itself changes its state.

    A video that is ready stays so: what was done before is still there and found, however a second try ended.
    """
    state = error.state if isinstance(error, VideoError) else None
    _record(database, video_id, state, str(error))


def record_crash(database: Database, video_id: str, message: str) -> None:
    """Keep that a run ended without Earshot knowing why: a bug, or a process that was killed."""
    _record(database, video_id, "failed", message)


def _record(database: Database, video_id: str, state: str | None, message: str) -> None:
    database.query(
        """
        UPDATE videos SET
            state = CASE state WHEN 'ready' THEN state ELSE coalesce(%s, state) END,
            attempts = attempts + 1, last_error = %s, updated_at = now()
        WHERE video_id = %s
        """,
        [state, message, video_id],
    )
