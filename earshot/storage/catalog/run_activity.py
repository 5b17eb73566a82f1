"""Run activity: what Dagster is doing with videos now, from its own tables; loading Dagster would take seconds.

A started run whose lock is free belongs to a dead process and is left out. This is not the video's state in the catalogue: a
video that is ready or failed may be queued again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from earshot.storage.catalog.stages import STAGES
from earshot.storage.locks import PARTITION_TAG, held, run_lock
from earshot.storage.outages import connect
from earshot.storage.server import ServerUrls

ACTIVITIES = QUEUED, WAITING, RUNNING = "queued", "waiting", "running"
AT_WORK = ["STARTED", "CANCELING"]
NOT_YET = ["QUEUED", "NOT_STARTED", "STARTING"]
MAX_HEARTBEAT_AGE_S = 90.0  # Dagster's daemon writes a heartbeat every 30 s

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
    WHERE r.status = ANY(%(statuses)s) AND (%(among)s::text[] IS NULL OR t.value = ANY(%(among)s))
    ORDER BY at_work, r.id
"""
_EVENTS = """
    SELECT run_id, dagster_event_type AS kind, coalesce(step_key, asset_key::jsonb ->> 0) AS stage,
        extract(epoch FROM (now() AT TIME ZONE 'UTC') - timestamp)::float AS ago_s
    FROM event_logs WHERE run_id = ANY(%(runs)s)
        AND dagster_event_type IN ('ASSET_MATERIALIZATION_PLANNED', 'STEP_START', 'STEP_SUCCESS') ORDER BY id
"""
_QUEUE = """
    SELECT t.value AS video_id, count(*) OVER () AS runs
    FROM runs r JOIN run_tags t ON t.run_id = r.run_id AND t.key = %(tag)s
        LEFT JOIN run_tags p ON p.run_id = r.run_id AND p.key = 'dagster/priority'
    WHERE r.status = ANY(%(statuses)s)
    ORDER BY CASE WHEN p.value ~ '^-?[0-9]{1,9}$' THEN p.value::int ELSE 0 END DESC, r.id LIMIT %(most)s
"""


@dataclass(frozen=True)
class Activity:
    """`run` is `queued`, `waiting` (`stage` needs a slot of its pool) or `running` (`stage`, None before the first)."""

    run: str
    stage: str | None = None

    def __str__(self) -> str:
        return f"{self.run}: {self.stage}" if self.stage else self.run


@dataclass(frozen=True)
class RunAtWork:
    """A run that a process works on: the stages that it will run, those that it has ended, and seconds in the present one."""

    video_id: str
    activity: Activity
    planned: tuple[str, ...]
    done: tuple[str, ...]
    stage_s: float


@dataclass(frozen=True)
class RunQueue:
    """How many runs wait in Dagster's queue, and the videos of the first of them."""

    runs: int
    first: tuple[str, ...]


def read_activities(urls: ServerUrls, among: Sequence[str] | None = None) -> dict[str, Activity]:
    """The activity of each video that has one, by key; optionally only `among` these videos."""
    rows = _runs(urls, AT_WORK + NOT_YET, among)
    return {row["video_id"]: _activity(row) if row["at_work"] else Activity(QUEUED) for row in _alive(urls, rows)}


def read_runs_at_work(urls: ServerUrls) -> list[RunAtWork]:
    """The runs of videos that processes work on, oldest first."""
    rows = _alive(urls, _runs(urls, AT_WORK, None))
    if not rows:
        return []
    with _dagster(urls) as cursor:
        events = cursor.execute(_EVENTS, {"runs": [row["run_id"] for row in rows]}).fetchall()
    return [_at_work(row, [event for event in events if event["run_id"] == row["run_id"]]) for row in rows]


def read_run_queue(urls: ServerUrls, most: int) -> RunQueue:
    """Dagster's queue of videos, in its order."""
    with _dagster(urls) as cursor:
        if not _has_tables(cursor):
            return RunQueue(0, ())
        rows = cursor.execute(_QUEUE, {"tag": PARTITION_TAG, "statuses": NOT_YET, "most": most}).fetchall()
    return RunQueue(rows[0]["runs"] if rows else 0, tuple(row["video_id"] for row in rows))


def is_daemon_running(urls: ServerUrls) -> bool:
    """Whether the part of Dagster's daemon that starts retries has reported lately."""
    with _dagster(urls) as cursor:
        if not _has_tables(cursor):
            return False
        cursor.execute(
            "SELECT 1 FROM daemon_heartbeats WHERE daemon_type = 'SENSOR' "
            "AND timestamp > (now() AT TIME ZONE 'UTC') - make_interval(secs => %s)",
            [MAX_HEARTBEAT_AGE_S],
        )
        return cursor.fetchone() is not None


def _runs(urls: ServerUrls, statuses: Sequence[str], among: Sequence[str] | None) -> list[dict[str, Any]]:
    with _dagster(urls) as cursor:
        if not _has_tables(cursor):
            return []
        chosen = {"statuses": list(statuses), "among": None if among is None else list(among)}
        return cursor.execute(_RUNS, {"tag": PARTITION_TAG, "at_work": AT_WORK, **chosen}).fetchall()


def _alive(urls: ServerUrls, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without started runs whose process has died."""
    locks = held(urls.earshot, [run_lock(row["run_id"]) for row in rows if row["at_work"]])
    return [row for row in rows if not row["at_work"] or run_lock(row["run_id"]) in locks]


def _activity(row: dict[str, Any]) -> Activity:
    return Activity(WAITING, row["awaited"]) if row["awaited"] else Activity(RUNNING, row["begun"])


def _at_work(row: dict[str, Any], events: Sequence[dict[str, Any]]) -> RunAtWork:
    stages = {
        kind: {event["stage"]: event["ago_s"] for event in events if event["kind"] == kind}
        for kind in ("ASSET_MATERIALIZATION_PLANNED", "STEP_START", "STEP_SUCCESS")
    }
    activity = _activity(row)
    return RunAtWork(
        row["video_id"],
        activity,
        planned=tuple(stage for stage in STAGES if stage in stages["ASSET_MATERIALIZATION_PLANNED"]) or STAGES,
        done=tuple(stage for stage in STAGES if stage in stages["STEP_SUCCESS"]),
        stage_s=stages["STEP_START"].get(activity.stage, 0.0) if activity.run == RUNNING else 0.0,
    )


@contextmanager
def _dagster(urls: ServerUrls) -> Iterator[psycopg.Cursor[dict[str, Any]]]:
    with connect(urls.dagster) as connection, connection.cursor(row_factory=dict_row) as cursor:
        yield cursor


def _has_tables(cursor: psycopg.Cursor[dict[str, Any]]) -> bool:
    """Whether Dagster was ever used: it creates its tables then."""
    tables = cursor.execute(
        "SELECT to_regclass('runs') AS runs, to_regclass('pending_steps') AS steps, to_regclass('daemon_heartbeats') AS beats"
    ).fetchone()
    return tables is not None and None not in tables.values()
