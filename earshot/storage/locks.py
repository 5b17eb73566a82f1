"""Locks that are freed when their process dies: Postgres advisory locks, each on its own connection.

They have two uses. Only one process works on a video at a time, so that two `earshot ingest` do not overwrite each other. And a
run is alive exactly as long as its lock is held: after SIGKILL a worker's Dagster run stays STARTED for ever, but its lock is
free (see sensors/dead_runs.py). Servers are given by libpq URL. Locks are re-entrant within a process; the slots of
`semaphore()` are not.

A server forgets every lock when it restarts. A thread reacquires this process's locks within HEARTBEAT_S after the server is
back. Code that draws conclusions from a free lock must wait longer than that (`wait_for_holders()`).

Not a substitute for transactions, which protect rows.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from earshot.common.errors import DatabaseUnusable
from earshot.common.times import seconds_left
from earshot.storage.outages import connect

# The tag in which Dagster stores a run's partition, which here is the video.
PARTITION_TAG = "dagster/partition"
# Held while speakers are identified, which writes rows of all videos.
PEOPLE_LOCK = "people"

# Interval of polling for a free slot; Postgres can wait for one lock, but not for one of several.
POLL_S = 0.2

HEARTBEAT_S = 2.0  # between two checks that this process's locks are still held
HOLDERS_BACK_S = 15.0  # after the server's start; by then every live process has its locks back

_held: dict[tuple[int, str, str], psycopg.Connection] = {}
_guard = threading.Lock()
_beating: set[int] = set()  # ids of processes whose heartbeat thread runs; a fork needs its own


def try_acquire(url: str, name: str) -> bool:
    """Take the lock if it is free. True also if this process already holds it."""
    if _key(url, name) in _held:
        return True
    return _acquire(url, name, "SELECT pg_try_advisory_lock(%s)")


def acquire(url: str, name: str) -> None:
    """Take the lock, waiting until it is free."""
    if _key(url, name) not in _held:
        _acquire(url, name, "SELECT pg_advisory_lock(%s) IS NOT NULL")


def release(url: str, name: str) -> None:
    """Release the lock; does nothing if this process does not hold it."""
    with _guard:
        connection = _held.pop(_key(url, name), None)
    if connection is not None:
        with suppress(psycopg.OperationalError):  # without a server, no lock is held
            # A closed connection's lock is free only once the server has noticed.
            connection.execute("SELECT pg_advisory_unlock(%s)", [_number(name)])
        connection.close()


@contextmanager
def lock(url: str, name: str) -> Iterator[None]:
    """Hold the lock for the block. If this process held it before, it stays held afterwards."""
    mine = _key(url, name) not in _held
    acquire(url, name)
    try:
        yield
    finally:
        if mine:
            release(url, name)


def is_held_elsewhere(url: str, name: str) -> bool:
    """Whether another process holds the lock. Leaves the lock as it was."""
    mine = _key(url, name) in _held
    if not try_acquire(url, name):
        return True
    if not mine:
        release(url, name)
    return False


def held(url: str, names: Sequence[str]) -> list[str]:
    """Those of these locks that any process holds, this one included; one query for any number of them."""
    if not names:
        return []
    with connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    numbers = {row[0] for row in rows}
    return [name for name in names if _number(name) in numbers]


def wait_for_holders(url: str) -> None:
    """If the server has just started, wait until the processes that held locks have them back."""
    with connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8").fetchone()
    assert row is not None  # it has one row
    time.sleep(seconds_left(HOLDERS_BACK_S, row[0]))


@contextmanager
def semaphore(url: str, name: str, places: int, before: Callable[[], None]) -> Iterator[None]:
    """Hold one of `places` slots for the block, first come, first served. Not re-entrant.

    Calls `before` once it has a slot and before the next caller can get one; `before` may wait, or raise to give the slot back.
    """
    with connect(url, autocommit=True) as connection:  # closing it releases its locks
        queue = _number(f"{name}: the next")
        connection.execute("SELECT pg_advisory_lock(%s)", [queue])
        while not any(_try(connection, f"{name}: {slot}") for slot in range(places)):
            time.sleep(POLL_S)
        before()
        connection.execute("SELECT pg_advisory_unlock(%s)", [queue])
        yield


def video_lock(video_id: str) -> str:
    return f"video {video_id}"


def run_lock(run_id: str) -> str:
    return f"run {run_id}"


def _acquire(url: str, name: str, statement: str) -> bool:
    connection = connect(url, autocommit=True)
    row = connection.execute(statement, [_number(name)]).fetchone()  # pyright: ignore[reportArgumentType]
    if row is None or not row[0]:
        connection.close()
        return False
    with _guard:
        _held[_key(url, name)] = connection
        if os.getpid() not in _beating:
            _beating.add(os.getpid())
            threading.Thread(target=_heartbeat, name="locks", daemon=True).start()
    return True


def _heartbeat() -> None:
    while True:
        time.sleep(HEARTBEAT_S)
        with _guard:
            mine = [(key, connection) for key, connection in _held.items() if key[0] == os.getpid()]
        for key, connection in mine:
            with suppress(DatabaseUnusable, psycopg.OperationalError):  # no server yet: try again at the next heartbeat
                _take_back(key, connection)


def _take_back(key: tuple[int, str, str], connection: psycopg.Connection) -> None:
    """Acquire the lock again on a new connection if its own has broken, unless another process has it by now."""
    try:
        connection.execute("SELECT 1")
        return
    except psycopg.OperationalError:
        replacement = connect(key[1], autocommit=True)
    with _guard:
        if _held.get(key) is connection and _try(replacement, key[2]):
            _held[key] = replacement
            return
    replacement.close()


def _try(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_number(name)]).fetchone()
    return row is not None and row[0]


def _key(url: str, name: str) -> tuple[int, str, str]:
    return os.getpid(), url, name  # a forked child does not hold its parent's locks


def _number(name: str) -> int:
    """A 64-bit advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
