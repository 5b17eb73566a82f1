"""Run requests: table `run_requests`, the queue of runs that the sensors have yet to request of Dagster.

A request is written in the same transaction as its reason: a decision, or a retry that is due. A sensor reads the requests
after its cursor, and Dagster stores the new cursor only after it has submitted the runs. So a tick that dies is repeated, and
Dagster recognises runs already submitted by their run keys. The next tick deletes the rows that the cursor has passed. Cursors
name sources by a digest, because a feed's address may contain a token and Dagster shows cursors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from earshot.storage.catalog.videos import PERMANENT_STATES, Video
from earshot.storage.database import Connection, Database

RETRIES = "retries"  # the sensor that launches retries
# Dagster submits about nine runs a second, and a tick has 60 s.
MAX_PER_TICK = 50
# After new uploads (10), before runs started by hand (0) and backfills (-10).
RETRY_PRIORITY = 5

_DIGEST = "left(encode(sha256(convert_to(r.source, 'UTF8')), 'hex'), 12)"


@dataclass(frozen=True)
class RunRequested:
    """A request to run one video, for one reason."""

    request_id: int
    source: str
    digest: str
    video_id: str
    priority: int

    @property
    def run_key(self) -> str:
        """Dagster never starts two runs with the same key."""
        return f"{self.video_id}:{self.request_id}"


def request_runs(connection: Connection, sensor: str, wanted: Sequence[tuple[str, str, int]]) -> None:
    """Queue videos, given as (video, source, priority), in this order; part of the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO run_requests (sensor, video_id, source, priority) VALUES (%s, %s, %s, %s)",
            [(sensor, video_id, source, priority) for video_id, source, priority in wanted],
        )
        cursor.executemany(
            "UPDATE videos SET requested_at = now() WHERE video_id = %s", [(video_id,) for video_id, _, _ in wanted]
        )


def request_retries(database: Database, paused: Sequence[str] = ()) -> int:
    """Queue every video whose retry is due; returns how many.

    Videos of a source that its site or the user (`paused`) has paused wait until the pause ends.
    """
    with database.connect() as connection:
        _lock_retries(connection)
        due = connection.execute(
            """
            UPDATE videos v SET retry_at = NULL WHERE v.retry_at <= now() AND v.source <> ALL(%s) AND NOT EXISTS (
                SELECT 1 FROM sources s WHERE s.source = v.source AND s.paused_until > now())
            RETURNING v.video_id, v.source
            """,
            [list(paused)],
        ).fetchall()
        request_runs(connection, RETRIES, [(row["video_id"], row["source"], RETRY_PRIORITY) for row in due])
    return len(due)


def request_retry(database: Database, video: Video) -> None:
    """Queue a video that the user retries, whatever its state; ends a pause of its source."""
    with database.connect() as connection:
        _lock_retries(connection)
        connection.execute("UPDATE sources SET paused_until = NULL, blocks = 0 WHERE source = %s", [video.source])
        connection.execute("DELETE FROM run_requests WHERE video_id = %s", [video.video_id])
        connection.execute(
            "UPDATE videos SET state = 'new', attempts = 0, last_error = NULL, retry_at = NULL, updated_at = now() "
            "WHERE video_id = %s",
            [video.video_id],
        )
        request_runs(connection, RETRIES, [(video.video_id, video.source, RETRY_PRIORITY)])


def _lock_retries(connection: Connection) -> None:
    """Until the transaction ends: requests are numbered as they are committed."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [RETRIES])


def next_requests(
    database: Database, sensor: str, cursor: str | None, sources: Sequence[str] | None = None, limit: int = MAX_PER_TICK
) -> tuple[list[RunRequested], str]:
    """A sensor's next requests, and the cursor after them. Deletes the requests that the given cursor has passed.

    Sources take turns, those of higher priority first. A paused source waits; a blocked one gets one request at a time until
    its site serves us again. `sources` restricts the result to these. Requests for videos that have since become ready or
    failed permanently are deleted, too.
    """
    passed: dict[str, int] = json.loads(cursor) if cursor else {}
    given = {
        "sensor": sensor,
        "digests": list(passed),
        "ids": list(passed.values()),
        "limit": limit,
        "ended": ["ready", *PERMANENT_STATES],
    }
    with database.connect() as connection:
        connection.execute(
            "DELETE FROM run_requests r USING unnest(%(digests)s::text[], %(ids)s::bigint[]) AS c (digest, passed) "  # noqa: S608
            f"WHERE r.sensor = %(sensor)s AND {_DIGEST} = c.digest AND r.request_id <= c.passed",
            given,
        )
        connection.execute(
            "DELETE FROM run_requests r USING videos v "
            "WHERE r.sensor = %(sensor)s AND v.video_id = r.video_id AND v.state = ANY(%(ended)s)",
            given,
        )
        rows = connection.execute(
            f"""
            SELECT request_id, source, digest, video_id, priority FROM (
                SELECT r.request_id, r.source, r.video_id, {_DIGEST} AS digest, coalesce(s.blocks, 0) AS blocks,
                    max(r.priority) OVER (PARTITION BY r.source) AS priority,
                    row_number() OVER (PARTITION BY r.source ORDER BY r.request_id) AS turn
                FROM run_requests r LEFT JOIN sources s ON s.source = r.source
                WHERE r.sensor = %(sensor)s
                    AND (s.paused_until IS NULL OR s.paused_until <= now())
                    AND (%(sources)s::text[] IS NULL OR r.source = ANY(%(sources)s))
            ) AS waiting
            WHERE turn <= CASE WHEN blocks > 0 THEN 1 ELSE %(limit)s END
            ORDER BY priority DESC, turn, request_id LIMIT %(limit)s
            """,  # noqa: S608
            {**given, "sources": None if sources is None else list(sources)},
        ).fetchall()
    requests = [RunRequested(**row) for row in rows]
    return requests, json.dumps(passed | _furthest(requests))


def _furthest(requests: Sequence[RunRequested]) -> dict[str, int]:
    furthest: dict[str, int] = {}
    for request in requests:
        furthest[request.digest] = max(request.request_id, furthest.get(request.digest, 0))
    return furthest
