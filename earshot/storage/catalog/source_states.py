"""The state of each source: table `sources`. Functions over a Database; rows are `SourceState`s.

A row stores how far the source has been read (validators, whether it was ever listed in full), when it was last polled, why
that failed, and until when it is paused. A source that cannot be listed is polled again after a back-off that grows with each
failure; a source whose site refuses us is paused altogether, downloads included, longer each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from earshot.common.times import CLOCKS_DIFFER_S
from earshot.config.sources_file import Kind, Source
from earshot.storage.catalog.entries import Validators
from earshot.storage.catalog.videos import PERMANENT_STATES
from earshot.storage.database import Database

FIRST_PAUSE_S = 3600.0  # YouTube says that it limits a session "for up to an hour"
MAX_PAUSE_S = 24 * 3600.0
MAX_RETRY_S = 6 * 3600.0  # between two polls of a source that cannot be listed


@dataclass(frozen=True)
class SourceState:
    """One row of `sources`. `failures` to poll it and `blocks` by its site are counted since the last success.

    `undecided`: some of its listed entries are still to be decided.
    """

    source: str
    options: str
    validators: Validators
    total: int | None
    fully_listed: bool
    looked_at: datetime | None
    listings: int
    failures: int
    last_error: str | None
    blocks: int
    paused_until: datetime | None
    undecided: bool

    @property
    def paused(self) -> bool:
        """Whether no requests may be sent to it now."""
        return self.paused_until is not None and self.paused_until > datetime.now(UTC)

    def due(self, every_s: float) -> bool:
        """Whether it is time to poll it again."""
        time = self.next_poll(every_s)
        return time is None or datetime.now(UTC) >= time

    def next_poll(self, every_s: float) -> datetime | None:
        """When it is time to poll it again; None if it was never polled, or later than now, by a clock that was wrong."""
        if self.paused:
            return self.paused_until
        if self.looked_at is None or self.looked_at > datetime.now(UTC) + timedelta(seconds=CLOCKS_DIFFER_S):
            return None
        wait_s = min(every_s * 2.0 ** min(self.failures, 20), max(MAX_RETRY_S, every_s))
        return self.looked_at + timedelta(seconds=wait_s)


def states_of(database: Database, sources: Sequence[str]) -> list[SourceState]:
    """The states of these sources, in their order; an unknown source has the state of a new row."""
    rows = database.query(
        """
        SELECT asked.source, coalesce(options, '') AS options, etag, last_modified, total,
            coalesce(fully_listed, false) AS fully_listed, looked_at, coalesce(listings, 0) AS listings,
            coalesce(failures, 0) AS failures, last_error,
            coalesce(blocks, 0) AS blocks, paused_until,
            EXISTS (SELECT 1 FROM source_videos l WHERE l.source = asked.source AND decision = 'open' AND present) AS undecided
        FROM unnest(%s::text[]) WITH ORDINALITY AS asked (source, place) LEFT JOIN sources s ON s.source = asked.source
        ORDER BY place
        """,
        [list(sources)],
    )
    return [
        SourceState(validators=Validators(row.pop("etag"), row.pop("last_modified")), **row)  # pyright: ignore[reportArgumentType]
        for row in rows
    ]


def next_look(source: Source, state: SourceState) -> datetime | None:
    """When it is polled next; None if never: the user paused it, or it is a single video that was listed."""
    if source.paused or (source.kind is Kind.URL and state.fully_listed):
        return None
    return state.next_poll(source.every_s) or datetime.now(UTC)


def count_source_videos(database: Database, sources: Sequence[str]) -> dict[str, dict[str, int]]:
    """By source: how many videos it ever `listed`, and how many of them are `wanted`, `ready`, `failed` or `unavailable`
    (private, removed, ...).
    """
    rows = database.query(
        """
        SELECT l.source, count(*) AS listed, count(*) FILTER (WHERE decision = 'wanted') AS wanted,
            count(*) FILTER (WHERE v.state = 'ready') AS ready, count(*) FILTER (WHERE v.state = 'failed') AS failed,
            count(*) FILTER (WHERE v.state = ANY(%s)) AS unavailable
        FROM source_videos l LEFT JOIN videos v USING (video_id) WHERE l.source = ANY(%s) GROUP BY l.source
        """,
        [list(PERMANENT_STATES), list(sources)],
    )
    return {row["source"]: row for row in rows}


def record_poll(database: Database, source: str) -> None:
    """Record a poll that found nothing changed."""
    database.query("UPDATE sources SET looked_at = now(), failures = 0, last_error = NULL WHERE source = %s", [source])


def needs_listing(database: Database, source: str) -> None:
    """Record a poll that found only unknown videos: the source must be listed in full, because it may have more of them."""
    database.query(
        """
        INSERT INTO sources (source, looked_at) VALUES (%s, now()) ON CONFLICT (source) DO UPDATE SET
            looked_at = now(), failures = 0, last_error = NULL, fully_listed = false
        """,
        [source],
    )


def record_listing_failure(database: Database, source: str, message: str) -> None:
    """Record that it could not be listed; the back-off before the next poll grows."""
    database.query(
        """
        INSERT INTO sources AS s (source, looked_at, listings, failures, last_error)
        VALUES (%(source)s, now(), 1, 1, %(message)s)
        ON CONFLICT (source) DO UPDATE SET
            looked_at = now(), listings = s.listings + 1, failures = s.failures + 1, last_error = excluded.last_error
        """,
        {"source": source, "message": message},
    )


def pause(database: Database, source: str, message: str, pause_s: float | None = None) -> datetime:
    """Pause a source whose site refused us, for `pause_s` or a pause that grows. Returns when the pause ends.

    Refusals during a pause, of downloads already running, do not prolong it.
    """
    rows = database.query(
        """
        INSERT INTO sources AS s (source, blocks, paused_until, last_error)
        VALUES (%(source)s, 1, now() + make_interval(secs => coalesce(%(pause_s)s, %(first_s)s)), %(message)s)
        ON CONFLICT (source) DO UPDATE SET
            last_error = CASE WHEN s.paused_until > now() THEN s.last_error ELSE excluded.last_error END,
            blocks = s.blocks + CASE WHEN s.paused_until > now() THEN 0 ELSE 1 END,
            paused_until = CASE WHEN s.paused_until > now() THEN s.paused_until ELSE now() + make_interval(
                secs => coalesce(%(pause_s)s, least(%(first_s)s * 2.0 ^ least(s.blocks, 20), %(longest_s)s))) END
        RETURNING paused_until
        """,
        {"source": source, "message": message, "pause_s": pause_s, "first_s": FIRST_PAUSE_S, "longest_s": MAX_PAUSE_S},
    )
    return rows[0]["paused_until"]


def record_served(database: Database, source: str) -> None:
    """Record that its site serves us again, so that waiting downloads go on. A pause set in the meantime stays."""
    database.query(
        "UPDATE sources SET blocks = 0 WHERE source = %s AND blocks > 0 AND (paused_until IS NULL OR paused_until <= now())",
        [source],
    )


def lift_pause(database: Database, source: str) -> None:
    """End its pause now, because the user asked for it."""
    database.query("UPDATE sources SET paused_until = NULL, blocks = 0 WHERE source = %s", [source])
