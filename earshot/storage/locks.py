"""Locks that die with the process that holds them: Postgres advisory locks on a connection of their own.

Two uses. A video is worked on by one process at a time, so that two `earshot ingest` at once do not write over each other.
And a run is alive exactly as long as its lock is held: a worker killed with SIGKILL leaves its Dagster run STARTED for
ever, but its lock is gone (sensors/dead_runs.py acts on that). Re-entrant within a process: what it holds, it
holds. Servers are given by their libpq URL. `semaphore()` is the exception: its places are kept apart by thread, too.

A server that is restarted forgets every lock. A thread takes back what this process still holds, within HEARTBEAT_S of the
server's answering again; whoever concludes anything from a free lock waits longer than that (`wait_for_holders()`).

Not a substitute for transactions: rows are protected by those.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

# The tag by which Dagster names a run's partition, which here is the video.
PARTITION_TAG = "dagster/partition"

# Between two looks whether one of several places has become free; Postgres can wait for one lock, not for one of many.
POLL_S = 0.2

HEARTBEAT_S = 2.0  # between two looks whether what this process holds is still held
HOLDERS_BACK_S = 15.0  # a server that has been up for so long knows every lock that anybody holds

_held: dict[tuple[int, str, str], psycopg.Connection] = {}
_guard = threading.Lock()
_keepers: set[int] = set()  # the processes, of which a fork makes one more, in which a thread keeps the locks


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
        with suppress(psycopg.OperationalError):  # without a server nobody holds anything
            # A closed connection's lock is free only once the server has noticed.
            connection.execute("SELECT pg_advisory_unlock(%s)", [_number(name)])
        connection.close()


@contextmanager
def lock(url: str, name: str) -> Iterator[None]:
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


def wait_for_holders(url: str) -> None:
    """Wait, on a server that has just been started, for those who held locks before to have them again."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8").fetchone()
    assert row is not None  # it has one row
    time.sleep(max(0.0, HOLDERS_BACK_S - row[0]))


@contextmanager
def semaphore(url: str, name: str, places: int, before: Callable[[], None]) -> Iterator[None]:
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
        if os.getpid() not in _keepers:
            _keepers.add(os.getpid())
            threading.Thread(target=_heartbeat, name="locks", daemon=True).start()
    return True


def _heartbeat() -> None:
    while True:
        time.sleep(HEARTBEAT_S)
        with _guard:
            mine = [(key, connection) for key, connection in _held.items() if key[0] == os.getpid()]
        for key, connection in mine:
            with suppress(psycopg.OperationalError):  # no server yet: the next look
                _take_back(key, connection)


def _take_back(key: tuple[int, str, str], connection: psycopg.Connection) -> None:
    """Hold what was held, on another connection, where its own has broken. Left alone where somebody else has it by now."""
    try:
        connection.execute("SELECT 1")
        return
    except psycopg.OperationalError:
        again = psycopg.connect(key[1], autocommit=True, connect_timeout=5)
    with _guard:
        if _held.get(key) is connection and _try(again, key[2]):
            _held[key] = again
            return
    again.close()


def _try(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_number(name)]).fetchone()
    return row is not None and row[0]


def _key(url: str, name: str) -> tuple[int, str, str]:
    return os.getpid(), url, name  # a forked child does not hold its parent's locks


def _number(name: str) -> int:
    """A 64-bit advisory lock number for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
