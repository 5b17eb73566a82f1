"""Worker slots: each worker holds one in Postgres for as long as it lives, so that workers can be counted.

A slot is a shared advisory lock on its own connection: a killed worker, or a machine that lost its network, stops counting
without any detection, and a new worker counts at once. The process that supervises the worker holds it
(ingest_assets/operations/workers.py).

Does not know what the workers do.
"""

import psycopg

from earshot.storage.outages import connect

# Advisory locks with two keys never conflict with those with one, which earshot/storage/locks.py takes.
_WORKERS = 0x0EA45  # arbitrary, but constant
_SLOT = 0


class WorkerSlot:
    """One worker's slot, held from `acquire()` to `release()`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def acquire(self) -> None:
        """Take the slot, again if the server was restarted. Raises DatabaseUnusable if it is gone."""
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self.release()
        if self._connection is None:
            self._connection = connect(self._url, autocommit=True)
            self._connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [_WORKERS, _SLOT])

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def count_workers(url: str) -> int:
    """The number of held slots."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (%s, %s, 2) "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_WORKERS, _SLOT],
        ).fetchone()
    assert row is not None  # a count has one row
    return row[0]
