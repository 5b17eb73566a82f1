"""Who is there to work: each worker holds a place in Postgres for as long as it lives.

A place is a shared advisory lock on a connection of its own, so that a worker that was killed, or a machine that lost its
network, stops counting without anybody having to notice it, and one that joins counts at once. Held by the process that looks
after the worker (ingest_assets/operations/workers.py).

It says how many there are, not what they do: that is Dagster's business.
"""

import psycopg

# Advisory locks of two numbers are apart from those of one, which earshot/storage/locks.py takes.
_WORKERS = 0x0EA45  # any number that is Earshot's own
_PLACE = 0


class WorkerSlot:
    """One worker's place, held from `acquire()` to `release()`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def acquire(self) -> None:
        """Hold it; taken again where the server was restarted. Raises psycopg.OperationalError where there is none."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self.release()
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
            self._connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_WORKERS, _PLACE])

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def count_workers(url: str) -> int:
    """How many places are held."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (%s, %s, 2) "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_WORKERS, _PLACE],
        ).fetchone()
    assert row is not None  # a count has one row
    return row[0]
