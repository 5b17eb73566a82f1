"""What must hold once a fault is over and the work is done: each function returns its violations as sentences.

They read the database and the machine, and change nothing; `hasten()` makes due what waits for a growing pause.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import dict_row

from bench.chaos.faults import url_of
from bench.chaos.world import World

Rows = list[dict[str, Any]]
Query = Callable[..., Rows]
Connection = psycopg.Connection[dict[str, Any]]

# The rows of a video that equal recordings must have in common.
_DIGESTS = """
    SELECT v.video_id, v.url, md5(concat_ws(E'\\n',
        (SELECT string_agg(concat_ws('|', word_index, start_s, end_s, text), ',' ORDER BY word_index)
            FROM words WHERE video_id = v.video_id),
        (SELECT string_agg(concat_ws('|', turn_index, start_s, end_s, local_speaker), ',' ORDER BY turn_index)
            FROM turns WHERE video_id = v.video_id),
        (SELECT string_agg(concat_ws('|', turn_index, start_s, end_s, local_speaker), ',' ORDER BY turn_index)
            FROM exclusive_turns WHERE video_id = v.video_id),
        (SELECT string_agg(concat_ws('|', passage_index, start_s, end_s, text), ',' ORDER BY passage_index)
            FROM passages WHERE video_id = v.video_id),
        (SELECT count(*) FROM voice_embeddings WHERE video_id = v.video_id),
        (SELECT count(*) FROM stage_outputs WHERE video_id = v.video_id))) AS digest
    FROM videos v
"""
_LOCKS = """
    SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_UNFINISHED_RUNS = """
    SELECT status, count(*) AS runs FROM runs
    WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING') GROUP BY status
"""
_UNFINISHED_BACKFILLS = "SELECT count(*) AS backfills FROM bulk_actions WHERE status IN ('REQUESTED', 'CANCELING', 'FAILING')"
_FAILED_BACKFILLS = "SELECT key, status FROM bulk_actions WHERE status IN ('FAILED', 'COMPLETED_FAILED')"
_SLOTS = "SELECT count(*) AS held FROM concurrency_slots WHERE run_id IS NOT NULL AND NOT deleted"


def at_work(dagster: Query) -> bool:
    """Whether a run is under way."""
    return bool(dagster("SELECT 1 FROM runs WHERE status = 'STARTED' LIMIT 1"))


def querying(world: World, database: str = "earshot") -> Query:
    """A function that queries the database from outside Earshot, each time over a new connection."""

    def query(statement: str, parameters: Iterable[Any] = ()) -> Rows:
        with Connection.connect(url_of(world, database), connect_timeout=5, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), list(parameters))
            return cursor.fetchall() if cursor.description else []

    return query


def hasten(query: Query) -> None:
    """Make due what waits for a pause that grows with each failure, so that nothing waits for minutes."""
    query("UPDATE videos SET retry_at = now() WHERE retry_at > now()")
    query("UPDATE sources SET looked_at = NULL, paused_until = NULL, failures = 0 WHERE failures > 0 OR paused_until > now()")


def digests(query: Query) -> dict[str, str]:
    """A digest of each video's rows, by the name of its episode."""
    return {Path(row["url"]).stem: row["digest"] for row in query(_DIGESTS)}


def unfinished(query: Query, published: Iterable[str]) -> list[str]:
    """Published episodes that are not ready."""
    known = {Path(row["url"]).stem: row for row in query("SELECT url, state, last_error, retry_at FROM videos")}
    found = []
    for name in published:
        row = known.get(name)
        if row is None:
            found.append(f"{name} is not known")
        elif row["state"] != "ready":
            due = f"retried at {row['retry_at']}" if row["retry_at"] else "not retried"
            found.append(f"{name} is {row['state']}, {due}: {row['last_error']}")
    return found


def wrong_rows(query: Query, recordings: Mapping[str, int], clean: Mapping[int, str]) -> list[str]:
    """Episodes whose rows differ from those of a clean run on the same recording; and doubled ones."""
    found = digests(query)
    wrong = [f"{name} has other rows than a clean run" for name, of in recordings.items() if found.get(name) != clean[of]]
    doubled = query("SELECT url FROM videos GROUP BY url HAVING count(*) > 1")
    return wrong + [f"{row['url']} is there twice" for row in doubled]


def leaks(query: Query, dagster: Query) -> list[str]:
    """Runs and backfills without an end, slots and locks that are held though nothing runs."""
    runs = [f"{row['runs']} runs are {row['status']}" for row in dagster(_UNFINISHED_RUNS)]
    runs += [f"{row['backfills']} backfills do not end" for row in dagster(_UNFINISHED_BACKFILLS) if row["backfills"]]
    slots = [f"{row['held']} slots are held" for row in dagster(_SLOTS) if row["held"]]
    return runs + slots + [f"{row['held']} locks are held" for row in query(_LOCKS) if row["held"]]


def failed_backfills(dagster: Query) -> list[str]:
    """Backfills that failed."""
    return [f"backfill {row['key']} is {row['status']}" for row in dagster(_FAILED_BACKFILLS)]


def stray_files(query: Query, home: Path) -> list[str]:
    """Audio without a row, rows without audio, and unfinished files."""
    stored = {row["uri"] for row in query("SELECT uri FROM audio")}
    media = {path.name for path in (home / "media").iterdir() if path.name != "lost+found"}
    left = [str(path.relative_to(home)) for path in (home / "downloads").glob("*")] if (home / "downloads").exists() else []
    strange = [f"{name} is stored without a row" for name in media - stored]
    return strange + [f"{name} is not stored" for name in stored - media] + [f"{name} is left" for name in left]


def stray_processes(world: World) -> list[str]:
    """Processes of this library that no `up` is the parent of; Postgres outlives it on purpose."""
    family = {process.pid for process in world.family()}
    if not family:
        return ["`earshot up` does not run"]
    found = []
    for process in psutil.process_iter(["name", "environ", "cmdline"]):
        environment = process.info["environ"] or {}
        ours = environment.get("EARSHOT_HOME") == str(world.home) and process.pid not in family
        if ours and process.info["name"] != "postgres" and "bench.chaos" not in " ".join(process.info["cmdline"] or ()):
            found.append(f"process {process.pid} is left: {' '.join(process.info['cmdline'] or ())[:80]}")
    return found


def lost_corrections(query: Query, acknowledged: Iterable[int], undone: Iterable[int]) -> list[str]:
    """Corrections that the page confirmed and that are gone, or undone ones that are there."""
    there = {row["correction_id"] for row in query("SELECT correction_id FROM corrections")}
    lost = [f"correction {number} is lost" for number in acknowledged if number not in there]
    return lost + [f"correction {number} is undone, but there" for number in undone if number in there]
