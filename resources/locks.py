"""Locks that die with the process that holds them: Postgres advisory locks on a connection of their own.

Two uses. A video is worked on by one process at a time, so that two `earshot ingest` at once do not write over each other.
And a run is alive exactly as long as its lock is held: a worker killed with SIGKILL leaves its Dagster run STARTED for
ever, but its lock is gone (sensors/dead_runs.py acts on that). Re-entrant within a process: what it holds, it
holds. Servers are given by their libpq URL.

Not a substitute for transactions: rows are protected by those.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

# The tag by which Dagster names a run's partition, which here is the video.
PARTITION_TAG = "dagster/partition"

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


def _key(url: str, name: str) -> tuple[int, str, str]:
    return os.getpid(), url, name  # a forked child does not hold its parent's locks


def _number(name: str) -> int:
    """A 64-bit advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
