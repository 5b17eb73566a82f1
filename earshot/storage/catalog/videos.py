"""The catalogue: table `videos`, with the facts and the state of each video. Functions over a Database; rows are `Video`s.

Partitions carry no data in Dagster, so assets read what they need from here by partition key. A video's state decides what
listings show and whether it is retried.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from earshot.common.backoff import fate_of
from earshot.common.errors import Blocked, EarshotError, LiveOrUpcoming, Misconfigured
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Connection, Database

STATES = (
    "new", "ready", "live_or_upcoming", "members_only", "private", "removed", "geo_blocked", "age_restricted", "no_audio",
    "failed",
)  # fmt: skip
# States that only a change on the site ends: only the user can start such a video, no listing does.
PERMANENT_STATES = ("members_only", "private", "removed", "geo_blocked", "age_restricted", "no_audio")

KEYS_AT_ONCE = 1000  # a page of `stream_keys()`


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
    language: str | None = None
    retry_at: datetime | None = None


PER_PAGE = 500  # of videos that are read one after another
_COLUMNS = "video_id, url, source, title, channel, published_at, duration_s, state, attempts, last_error, language, retry_at"


def register(database: Database, videos: Sequence[Video]) -> None:
    """Add new videos, and update the facts of known ones; their state, attempts and duration stay."""
    with database.connect() as connection:
        register_within(connection, videos)


def register_within(connection: Connection, videos: Sequence[Video]) -> None:
    """`register()` as part of the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO videos (video_id, url, source, title, channel, published_at, duration_s, language)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (video_id) DO UPDATE SET
                url = excluded.url, title = excluded.title,
                channel = coalesce(excluded.channel, videos.channel),
                published_at = coalesce(excluded.published_at, videos.published_at),
                duration_s = coalesce(videos.duration_s, excluded.duration_s),
                language = coalesce(excluded.language, videos.language), updated_at = now()
            """,
            [(v.video_id, v.url, v.source, v.title, v.channel, v.published_at, v.duration_s, v.language) for v in videos],
        )


def get_video(database: Database, video_id: str) -> Video | None:
    """The video with this key, or None."""
    rows = database.query(f"SELECT {_COLUMNS} FROM videos WHERE video_id = %s", [video_id])  # noqa: S608
    return Video(**rows[0]) if rows else None


_CHOSEN = """
    FROM videos WHERE (%(state)s::text IS NULL OR state = %(state)s)
        AND (%(among)s::text[] IS NULL OR video_id = ANY(%(among)s))
"""
_NEWEST = "coalesce(published_at, '-infinity')"  # as in the indexes of the lists
_LISTED = f"SELECT {_COLUMNS} {_CHOSEN} ORDER BY {_NEWEST} DESC, registered_at DESC, video_id LIMIT %(most)s"
_PAGE = f"""
    SELECT {_COLUMNS}, ({_NEWEST})::text AS newest, registered_at::text AS registered {{chosen}}
    ORDER BY {_NEWEST} DESC, registered_at DESC, video_id DESC LIMIT %(most)s
"""


def list_videos(
    database: Database, state: str | None = None, most: int | None = None, among: Sequence[str] | None = None
) -> list[Video]:
    """Videos, newest upload first and undated ones last; optionally of one state, `among` these keys, and at `most` so many."""
    return [Video(**row) for row in database.query(_LISTED, _chosen(state, among, most))]


@dataclass(frozen=True)
class VideoPage:
    """Some videos of a list, and the cursor of those after them; None at the end."""

    videos: tuple[Video, ...]
    next: str | None


@dataclass(frozen=True)
class VideoList:
    """Which videos a list has: of one state, `among` these keys, of one source (address).

    `text`: each of its words begins a word of the title, or the text is the key.
    """

    state: str | None = None
    among: Sequence[str] | None = None
    source: str | None = None
    text: str = ""


def page_of_videos(database: Database, listed: VideoList, after: str | None, most: int) -> VideoPage:
    """At most so many videos after this cursor, newest upload first, undated ones last. Costs the same at every place."""
    conditions = {
        "state = %(state)s": listed.state,
        "video_id = ANY(%(among)s)": listed.among,
        "source = %(source)s": listed.source,
        "(title_words @@ title_asked(%(text)s) OR video_id = %(text)s)": listed.text.strip() or None,
        f"({_NEWEST}, registered_at, video_id) < (%(newest)s::timestamptz, %(registered)s::timestamptz, %(key)s)": after,
    }
    chosen = " AND ".join(condition for condition, value in conditions.items() if value is not None)
    parameters = {
        "state": listed.state,
        "among": None if listed.among is None else list(listed.among),
        "source": listed.source,
        "text": listed.text.strip(),
        "most": most + 1,
        **(_read_cursor(after) if after is not None else {}),
    }
    rows = database.query(_PAGE.format(chosen=f"FROM videos WHERE {chosen or 'true'}"), parameters)
    places = [(row.pop("newest"), row.pop("registered"), row["video_id"]) for row in rows]
    more = len(rows) > most
    return VideoPage(tuple(Video(**row) for row in rows[:most]), _cursor(*places[most - 1]) if more else None)


def ready_videos(database: Database, source: str | None) -> Iterator[Video]:
    """The ready videos of a source (address), or of all, newest upload first: PER_PAGE at a time, each page as it is then."""
    after: str | None = None
    while True:
        page = page_of_videos(database, VideoList("ready", source=source), after, PER_PAGE)
        yield from page.videos
        after = page.next
        if after is None:
            return


def _cursor(*place: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> dict[str, str]:
    with suppress(ValueError):
        newest, registered, key = json.loads(base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}"))
        if all(isinstance(part, str) for part in (newest, registered, key)) and "\0" not in key:
            if newest != "-infinity":
                datetime.fromisoformat(newest)
            datetime.fromisoformat(registered)
            key.encode()  # halves of characters raise ValueError
            return {"newest": newest, "registered": registered, "key": key}
    raise EarshotError("The cursor is not one of this list.", "Start without a cursor, or use the one of the page before.")


def stream_videos(database: Database, state: str | None = None, among: Sequence[str] | None = None) -> Iterator[Video]:
    """`list_videos()` one by one, so that memory does not grow with the library."""
    return (Video(**row) for row in database.stream(_LISTED, _chosen(state, among)))


def count_videos(database: Database, state: str | None = None, among: Sequence[str] | None = None) -> int:
    """How many videos `stream_videos()` yields."""
    return database.query(f"SELECT count(*) AS videos {_CHOSEN}", _chosen(state, among))[0]["videos"]


def _chosen(state: str | None, among: Sequence[str] | None, most: int | None = None) -> dict[str, Any]:
    return {"state": state, "among": None if among is None else list(among), "most": most}


def stream_keys(database: Database, source: str | None = None) -> Iterator[str]:
    """The sorted keys of all videos or of one source's, read in pages so that memory does not grow with the library."""
    last = ""
    while page := _page_of_keys(database, source, last):
        yield from page
        last = page[-1]


def _page_of_keys(database: Database, source: str | None, last: str) -> list[str]:
    rows = database.query(
        "SELECT video_id FROM videos WHERE video_id > %(last)s AND (%(source)s::text IS NULL OR source = %(source)s) "
        "ORDER BY video_id LIMIT %(page)s",
        {"last": last, "source": source, "page": KEYS_AT_ONCE},
    )
    return [row["video_id"] for row in rows]


def count_keys(database: Database, source: str | None = None) -> int:
    """How many keys `stream_keys()` yields."""
    statement = "SELECT count(*) AS videos FROM videos WHERE %(source)s::text IS NULL OR source = %(source)s"
    return database.query(statement, {"source": source})[0]["videos"]


def reset_attempts(database: Database, video_ids: Sequence[str]) -> None:
    """Forget the failed attempts of videos that the user retries."""
    database.query("UPDATE videos SET attempts = 0 WHERE video_id = ANY(%s)", [list(video_ids)])


def mark_ready_if_complete(database: Database, video_id: str) -> None:
    """Set the state to `ready` if every stage has a timing; called after each stage."""
    database.query(
        """
        UPDATE videos SET state = 'ready', attempts = 0, last_error = NULL, retry_at = NULL, updated_at = now()
        WHERE video_id = %(video)s AND %(stages)s::text[] <@ ARRAY(
            SELECT DISTINCT asset FROM asset_timings WHERE video_id = %(video)s)
        """,
        {"video": video_id, "stages": list(STAGES)},
    )


def set_duration(database: Database, video_id: str, duration_s: float) -> None:
    """Store the decoded duration in place of the one that the source stated."""
    database.query("UPDATE videos SET duration_s = %s, updated_at = now() WHERE video_id = %s", [duration_s, video_id])


def record_failure(database: Database, video_id: str, error: EarshotError, paused_until: datetime | None = None) -> None:
    """Store why an attempt failed, and when it is retried. Only an error of the video itself changes its state.

    A ready video stays ready, because its earlier rows are still there and searchable. `paused_until` is the end of its
    source's pause, if that is the reason.
    """
    video = get_video(database, video_id)
    if video is None:
        return
    fate = fate_of(error, _attempts(video, error), paused_until)
    database.query(
        """
        UPDATE videos SET
            state = CASE state WHEN 'ready' THEN state ELSE coalesce(%(state)s, state) END,
            retry_at = CASE state WHEN 'ready' THEN NULL ELSE %(retry_at)s::timestamptz END,
            attempts = %(attempts)s, last_error = %(message)s, updated_at = now()
        WHERE video_id = %(video)s
        """,
        {**asdict(fate), "video": video_id},
    )


def _attempts(video: Video, error: EarshotError) -> int:
    """The failed attempts before this one; attempts during a broadcast no longer count once it is over."""
    over = video.state == "live_or_upcoming" and not isinstance(error, LiveOrUpcoming | Blocked | Misconfigured)
    return 0 if over else video.attempts


def record_crash(database: Database, video_id: str, message: str) -> None:
    """Store that a run ended for a reason Earshot does not know: a bug, or a killed process."""
    database.query(
        """
        UPDATE videos SET state = CASE state WHEN 'ready' THEN state ELSE 'failed' END,
            attempts = attempts + 1, last_error = %s, retry_at = NULL, updated_at = now()
        WHERE video_id = %s
        """,
        [message, video_id],
    )
