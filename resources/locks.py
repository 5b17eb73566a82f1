"""Locks that die with the process that holds them: Postgres advisory locks on a connection of their own.

Two uses. A video is worked on by one process at a time, so that two `earshot ingest` at once do not write over each other.
And a run is alive exactly as long as its lock is held: a worker killed with SIGKILL leaves its Dagster run STARTED for
ever, but its lock is gone (sensors/dead_runs.py acts on that). Re-entrant within a process: what it holds, it
holds. Servers are given by their libpq URL. `taking_place()` is the exception: its places are kept apart by thread, too.

Not a substitute for transactions: rows are protected by those.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

# The tag by which Dagster names a run's partition, which here is the video.
PARTITION_TAG = "dagster/partition"

# Between two looks whether one of several places has become free; Postgres can wait for one lock, not for one of many.
POLL_S = 0.2

_held: dict[tuple[int, str, str], psycopg.Connection] = {}
_guard = threading.Lock()


def try_acquire(url: str, name: str) -> bool:
    """Take the lock if nobody else holds it; True as well where this process already does."""
    if _key(url, name) in _held:
        return True
    return _acquire(url, name, "SELECT pg_try_advisory_lock(%s)")


def acquire(url: str, name: str) -> None:
    """Take the lock, waiting for whoever holds it."""
    if _key(url, name) not in _held:
        _acquire(url, name, "SELECT pg_advisory_lock(%s) IS NOT NULL")


def release(url: str, name: str) -> None:
    """Give the lock back; nothing where this process does not hold it."""
    with _guard:
        connection = _held.pop(_key(url, name), None)
    if connection is not None:
        connection.close()


@contextmanager
def holding(url: str, name: str) -> Iterator[None]:
    """Hold the lock for the block, unless this process held it before: then it stays held after."""
    mine = _key(url, name) not in _held
    acquire(url, name)
    try:
        yield
    finally:
        if mine:
            release(url, name)


def is_held_elsewhere(url: str, name: str) -> bool:
    """Whether another process holds the lock. Leaves it as it is."""
    mine = _key(url, name) in _held
    if not try_acquire(url, name):
        return True
    if not mine:
        release(url, name)
    return False


@contextmanager
def taking_place(url: str, name: str, places: int, before: Callable[[], None]) -> Iterator[None]:
    """Hold one of so many places for the block: who came first gets the next that is free. Not re-entrant.

    With its place taken, but before anybody else's turn, `before` is called; it may wait, or raise and leave.
    """
    with psycopg.connect(url, autocommit=True) as connection:  # what it holds is given back as it closes
        queue = _number(f"{name}: the next")
        connection.execute("SELECT pg_advisory_lock(%s)", [queue])
        while not any(_try(connection, f"{name}: {place}") for place in range(places)):
            time.sleep(POLL_S)
        before()
        connection.execute("SELECT pg_advisory_unlock(%s)", [queue])
        yield


def video_lock(video_id: str) -> str:
    return f"video {video_id}"


def run_lock(run_id: str) -> str:
    return f"run {run_id}"


def _acquire(url: str, name: str, statement: str) -> bool:
    connection = psycopg.connect(url, autocommit=True)
    row = connection.execute(statement, [_number(name)]).fetchone()  # pyright: ignore[reportArgumentType]
    if row is None or not row[0]:
        connection.close()
        return False
    with _guard:
        _held[_key(url, name)] = connection
    return True


def _try(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_number(name)]).fetchone()
    return row is not None and row[0]


def _key(url: str, name: str) -> tuple[int, str, str]:
    return os.getpid(), url, name  # a forked child does not hold its parent's locks


def _number(name: str) -> int:
    """A 64-bit advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
