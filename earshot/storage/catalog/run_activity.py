"""Run activity: what Dagster is doing with each video now. One query over its runs; loading Dagster would take seconds.

A started run whose lock is free belongs to a dead process and is left out. This is not the video's state in the catalogue: a
video that is ready or failed may be queued again.
"""

from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row

from earshot.storage.locks import PARTITION_TAG, is_held_elsewhere, run_lock
from earshot.storage.server import ServerUrls

ACTIVITIES = QUEUED, WAITING, RUNNING = "queued", "waiting", "running"
AT_WORK = ["STARTED", "CANCELING"]

_RUNS = """
    SELECT t.value AS video_id, r.run_id, r.status = ANY(%(at_work)s) AS at_work,
        CASE WHEN r.status = ANY(%(at_work)s) THEN (
            SELECT step_key FROM pending_steps p WHERE p.run_id = r.run_id AND assigned_timestamp IS NULL LIMIT 1
        ) END AS awaited,
        CASE WHEN r.status = ANY(%(at_work)s) THEN (
            SELECT step_key FROM event_logs e WHERE e.run_id = r.run_id AND dagster_event_type = 'STEP_START'
            ORDER BY e.id DESC LIMIT 1
        ) END AS begun
    FROM runs r JOIN run_tags t ON t.run_id = r.run_id AND t.key = %(tag)s
    WHERE r.status = ANY(%(at_work)s || ARRAY['QUEUED', 'NOT_STARTED', 'STARTING']) ORDER BY at_work, r.id
"""


@dataclass(frozen=True)
class Activity:
    """`run` is `queued`, `waiting` (`stage` needs a slot of its pool) or `running` (`stage`, None before the first)."""

    run: str
    stage: str | None = None

    def __str__(self) -> str:
        return f"{self.run}: {self.stage}" if self.stage else self.run


def read_activities(urls: ServerUrls) -> dict[str, Activity]:
    """The activity of each video that has one, by key."""
    with psycopg.connect(urls.dagster) as connection, connection.cursor(row_factory=dict_row) as cursor:
        tables = cursor.execute("SELECT to_regclass('runs') AS runs, to_regclass('pending_steps') AS steps").fetchone()
        if tables is None or None in tables.values():  # Dagster creates its tables when it is first used
            return {}
        rows = cursor.execute(_RUNS, {"tag": PARTITION_TAG, "at_work": AT_WORK}).fetchall()
    activities = {}
    for row in rows:
        if not row["at_work"]:
            activities[row["video_id"]] = Activity(QUEUED)
        elif is_held_elsewhere(urls.earshot, run_lock(row["run_id"])):
            awaited = row["awaited"]
            activities[row["video_id"]] = Activity(WAITING, awaited) if awaited else Activity(RUNNING, row["begun"])
    return activities
