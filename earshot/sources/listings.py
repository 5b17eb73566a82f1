"""Listings: every entry that a source ever listed, and the decision about it. Table `source_videos`.

`save_listing()` stores the result of a poll: new entries are `open`, in the order in which to decide them; entries whose media
moved, or that reappeared, become open again. `save_decisions()` stores the decisions. It registers wanted videos in the catalog
and requests their runs in the same transaction, so a crash cannot separate the two. Both lock the source's row in `sources`, so
two processes never decide about one source at once.

earshot/sources/selection.py makes the decisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from psycopg.types.json import Jsonb

from earshot.common.backoff import AFTER_START_S
from earshot.config.sources_file import Source
from earshot.sources.kinds.folders import KnownFile
from earshot.sources.kinds.youtube import is_youtube
from earshot.storage.catalog.entries import CaptionFile, Entry, Listing, Live, is_url
from earshot.storage.catalog.removals import excluded_among
from earshot.storage.catalog.run_requests import request_runs
from earshot.storage.catalog.videos import Video, register_within
from earshot.storage.database import Connection, Database

NEW_UPLOADS = "new_uploads"  # the sensor that launches the requested runs


@dataclass(frozen=True)
class OpenEntry:
    """An undecided entry. `backlog`: it was in the first listing. `fetches`: failed fetches of its page so far."""

    entry: Entry
    backlog: bool
    fetches: int


@dataclass(frozen=True)
class StoredDecision:
    """A decision to store. `verdict` is `wanted` or `left_out`."""

    entry: Entry
    verdict: str
    reason: str


def known_files(database: Database, source: str) -> dict[str, KnownFile]:
    """The files of a folder as of the last poll, by path."""
    rows = database.query(
        "SELECT url, video_id, fingerprint FROM source_videos WHERE source = %s AND fingerprint IS NOT NULL", [source]
    )
    return {row["url"]: KnownFile(row["video_id"], row["fingerprint"]) for row in rows}


def count_known(database: Database, source: str, video_ids: Sequence[str]) -> int:
    """How many of these videos the source has listed before."""
    statement = "SELECT count(*) AS known FROM source_videos WHERE source = %s AND video_id = ANY(%s)"
    return database.query(statement, [source, list(video_ids)])[0]["known"]


def save_listing(database: Database, source: Source, listing: Listing, entries: Sequence[Entry]) -> int:
    """Store a listing, with `entries` in the order in which to decide them. Returns how many are new.

    The validators are stored in the same transaction, so that a listing that was not stored is fetched again.
    """
    with database.connect() as connection:
        fully_listed = _lock(connection, source.address)
        is_first = not fully_listed and _has_no_entries(connection, source.address)
        known = _rows(connection, source.address, None if listing.complete else [entry.video_id for entry in entries])
        new = [entry for entry in entries if entry.video_id not in known]
        _insert(connection, source.address, new, backlog=is_first)
        _refresh(connection, source.address, [entry for entry in entries if entry.video_id in known], known)
        if listing.complete:
            _mark_absent(connection, source.address, known.keys() - {entry.video_id for entry in entries})
        _record_listing(connection, source.address, listing)
    return len(new)


def reopen(database: Database, source: Source, options: str) -> None:
    """Store a source's changed options, and reopen the entries that were left out."""
    with database.connect() as connection:
        _lock(connection, source.address)
        connection.execute(
            "UPDATE source_videos SET decision = 'open', fetches = 0 WHERE source = %s AND decision = 'left_out'",
            [source.address],
        )
        connection.execute("UPDATE sources SET options = %s WHERE source = %s", [options, source.address])


def open_entries(database: Database, source: str) -> list[OpenEntry]:
    """The undecided entries of this source, in order."""
    statement = (
        "SELECT video_id, url, title, channel, published_at, duration_s, live, starts_at, short, members_only, fingerprint, "
        "captions, backlog, fetches FROM source_videos WHERE source = %s AND decision = 'open' AND present ORDER BY position"
    )
    return [
        OpenEntry(backlog=row.pop("backlog"), fetches=row.pop("fetches"), entry=_entry(row))
        for row in database.query(statement, [source])
    ]


def count_wanted_backlog(database: Database, source: str) -> int:
    """How many entries of the backlog are wanted; the option `limit` limits these."""
    statement = "SELECT count(*) AS wanted FROM source_videos WHERE source = %s AND backlog AND decision = 'wanted'"
    return database.query(statement, [source])[0]["wanted"]


def count_fetch(database: Database, source: str, video_id: str) -> None:
    """Count a failed fetch of the video's own page."""
    database.query("UPDATE source_videos SET fetches = fetches + 1 WHERE source = %s AND video_id = %s", [source, video_id])


def save_decisions(database: Database, source: Source, decisions: Sequence[StoredDecision]) -> list[str]:
    """Store decisions, register wanted videos and request their runs. Returns the videos whose runs were requested."""
    with database.connect() as connection:
        _lock(connection, source.address)
        rows = _rows(connection, source.address, [decision.entry.video_id for decision in decisions])
        still_open = [decision for decision in decisions if rows[decision.entry.video_id]["decision"] == "open"]
        still_open = _without_excluded(connection, still_open)
        _write(connection, source.address, still_open)
        wanted = [decision.entry for decision in still_open if decision.verdict == "wanted"]
        register_within(connection, [video_of(entry, source) for entry in wanted])
        return _request_wanted(connection, source, wanted, {key for key, row in rows.items() if row["retry"]})


def _without_excluded(connection: Connection, decisions: Sequence[StoredDecision]) -> list[StoredDecision]:
    """The decisions, in which removed videos are left out."""
    excluded = excluded_among(connection, [decision.entry.video_id for decision in decisions])
    return [
        replace(decision, verdict="left_out", reason=reason) if (reason := excluded.get(decision.entry.video_id)) else decision
        for decision in decisions
    ]


def with_known_details(database: Database, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, completed with facts from earlier listings and from the catalog, so that no page is fetched for these."""
    rows = database.query(
        """
        SELECT video_id, max(published_at) AS published_at, max(duration_s) AS duration_s, max(live) AS live,
            bool_or(short) AS short, bool_or(members_only) AS members_only
        FROM (SELECT video_id, published_at, duration_s, live, short, members_only FROM source_videos
              UNION ALL SELECT video_id, published_at, duration_s, NULL, NULL, NULL FROM videos) AS facts
        WHERE video_id = ANY(%s) GROUP BY video_id
        """,
        [[entry.video_id for entry in entries]],
    )
    known = {row["video_id"]: row for row in rows}
    return [_completed(entry, known[entry.video_id]) if entry.video_id in known else entry for entry in entries]


def _completed(entry: Entry, row: Mapping[str, Any]) -> Entry:
    facts = {**row, "live": _live(row)}
    names = ("published_at", "duration_s", "live", "short", "members_only")
    return replace(entry, **{name: facts[name] for name in names if getattr(entry, name) is None})


def video_of(entry: Entry, source: Source) -> Video:
    """The entry as a video of the catalog."""
    return Video(
        video_id=entry.video_id,
        url=entry.url,
        source=source.address,
        title=entry.title,
        channel=entry.channel,
        published_at=entry.published_at,
        duration_s=entry.duration_s,
        language=source.language,
    )


# --- rows ----------------------------------------------------------------------------------------------------------------


def _lock(connection: Connection, source: str) -> bool:
    """Lock the source's row, created if missing, until the transaction ends. Returns whether it was listed in full once."""
    connection.execute("INSERT INTO sources (source) VALUES (%s) ON CONFLICT (source) DO NOTHING", [source])
    row = connection.execute("SELECT fully_listed FROM sources WHERE source = %s FOR UPDATE", [source]).fetchone()
    assert row is not None
    return row["fully_listed"]


def _has_no_entries(connection: Connection, source: str) -> bool:
    return connection.execute("SELECT 1 FROM source_videos WHERE source = %s LIMIT 1", [source]).fetchone() is None


def _rows(connection: Connection, source: str, video_ids: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM source_videos WHERE source = %(source)s AND (%(ids)s::text[] IS NULL OR video_id = ANY(%(ids)s))",
        {"source": source, "ids": None if video_ids is None else list(video_ids)},
    )
    return {row["video_id"]: row for row in rows}


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(**{**row, "live": _live(row), "captions": _captions(row)})


def _captions(row: Mapping[str, Any]) -> CaptionFile | None:
    return CaptionFile(**row["captions"]) if row["captions"] else None


def _columns(entry: Entry) -> dict[str, Any]:
    """The entry as values of columns."""
    return {**asdict(entry), "captions": Jsonb(asdict(entry.captions)) if entry.captions else None}


def _live(row: Mapping[str, Any]) -> Live | None:
    return Live(row["live"]) if row["live"] else None


def _insert(connection: Connection, source: str, entries: Sequence[Entry], backlog: bool) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO source_videos (source, video_id, url, title, channel, published_at, duration_s, live, starts_at, short,
                members_only, fingerprint, captions, backlog)
            VALUES (%(source)s, %(video_id)s, %(url)s, %(title)s, %(channel)s, %(published_at)s, %(duration_s)s, %(live)s,
                %(starts_at)s, %(short)s, %(members_only)s, %(fingerprint)s, %(captions)s, %(backlog)s)
            """,
            [{**_columns(entry), "source": source, "backlog": backlog} for entry in entries],
        )


def _refresh(connection: Connection, source: str, entries: Sequence[Entry], known: Mapping[str, dict[str, Any]]) -> None:
    """Update known entries that changed. A fact that the source no longer gives keeps its value."""
    changed = [entry for entry in entries if _differs(entry, known[entry.video_id])]
    retry = {entry.video_id for entry in changed if _moved_or_reappeared(entry, known[entry.video_id])}
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE source_videos SET url = %(url)s, title = %(title)s, channel = coalesce(%(channel)s, channel),
                published_at = coalesce(%(published_at)s, published_at), duration_s = coalesce(%(duration_s)s, duration_s),
                live = coalesce(%(live)s, live), starts_at = coalesce(%(starts_at)s, starts_at),
                short = coalesce(%(short)s, short), members_only = coalesce(%(members_only)s, members_only),
                fingerprint = %(fingerprint)s, captions = coalesce(%(captions)s, captions), present = true,
                retry = retry OR %(retry)s, decision = CASE WHEN %(retry)s THEN 'open' ELSE decision END
            WHERE source = %(source)s AND video_id = %(video_id)s
            """,
            [{**_columns(entry), "source": source, "retry": entry.video_id in retry} for entry in changed],
        )
        cursor.executemany(
            "UPDATE videos SET title = %s, url = %s, updated_at = now() WHERE video_id = %s",
            [(entry.title, entry.url, entry.video_id) for entry in changed],
        )


def _differs(entry: Entry, row: Mapping[str, Any]) -> bool:
    facts = {name: value for name, value in asdict(entry).items() if name != "video_id" and value is not None}
    return not row["present"] or any(row[name] != value for name, value in facts.items())


def _moved_or_reappeared(entry: Entry, row: Mapping[str, Any]) -> bool:
    """Whether its media has another location, or it was absent."""
    return not row["present"] or _media_location(entry.url) != _media_location(row["url"])


def _media_location(url: str) -> str:
    """The URL without its query, which may be a token that changes with every poll."""
    if is_youtube(url) or not is_url(url):  # YouTube has the video id in the query; a local path has no query
        return url
    parts = urlsplit(url)
    return parts.netloc + parts.path


def _mark_absent(connection: Connection, source: str, video_ids: set[str]) -> None:
    connection.execute(
        "UPDATE source_videos SET present = false WHERE source = %s AND video_id = ANY(%s) AND present",
        [source, list(video_ids)],
    )


def _record_listing(connection: Connection, source: str, listing: Listing) -> None:
    connection.execute(
        """
        UPDATE sources SET etag = %s, last_modified = %s, total = coalesce(%s, total), looked_at = now(), failures = 0,
            last_error = NULL, fully_listed = fully_listed OR %s, listings = listings + %s::int
        WHERE source = %s
        """,
        [listing.validators.etag, listing.validators.last_modified, listing.total, listing.complete, listing.complete, source],
    )


def _write(connection: Connection, source: str, decisions: Sequence[StoredDecision]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE source_videos SET decision = %(verdict)s, reason = %(reason)s, retry = false, channel = %(channel)s,
                published_at = %(published_at)s, duration_s = %(duration_s)s, live = %(live)s, starts_at = %(starts_at)s,
                short = %(short)s, members_only = %(members_only)s
            WHERE source = %(source)s AND video_id = %(video_id)s
            """,
            [
                {**_columns(one.entry), "source": source, "verdict": one.verdict, "reason": one.reason or None}
                for one in decisions
            ],
        )


def _request_wanted(connection: Connection, source: Source, wanted: Sequence[Entry], retry: set[str]) -> list[str]:
    """Request runs of wanted videos not requested yet, and of failed ones that may work now. Returns these videos."""
    rows = connection.execute(
        "SELECT video_id, state, requested_at FROM videos WHERE video_id = ANY(%s)", [[entry.video_id for entry in wanted]]
    )
    states = {row["video_id"]: row for row in rows}
    requested = []
    for entry in wanted:
        row = states[entry.video_id]
        if row["state"] == "new" and entry.live in (Live.UPCOMING, Live.ON_AIR):
            _wait_for_broadcast(connection, entry)
        elif row["state"] == "new" and row["requested_at"] is None:
            requested.append(entry.video_id)
        elif entry.video_id in retry and row["state"] not in ("new", "ready", "live_or_upcoming"):
            connection.execute(
                "UPDATE videos SET state = 'new', attempts = 0, retry_at = NULL WHERE video_id = %s", [entry.video_id]
            )
            requested.append(entry.video_id)
    request_runs(connection, NEW_UPLOADS, [(video_id, source.address, source.priority) for video_id in requested])
    return requested


def _wait_for_broadcast(connection: Connection, entry: Entry) -> None:
    start = entry.starts_at or datetime.now(UTC)
    connection.execute(
        "UPDATE videos SET state = 'live_or_upcoming', retry_at = %s WHERE video_id = %s",
        [start + timedelta(seconds=AFTER_START_S), entry.video_id],
    )
