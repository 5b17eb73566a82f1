"""Connections to Earshot's database, kept: a video's five stages ask for some sixty, and each costs Postgres a process.

A process keeps one in a psycopg_pool, and more for as long as they are needed. One that a restart of the server has broken is
found before it is used, and a server that is away is waited for (earshot/storage/outages.py). A connection is in a transaction
while it is used, and is given back without one.

Statements are not prepared, as psycopg else would after the fifth time: a plan that Postgres then keeps for all values is
another one, and for a search among vectors a slow one.

Locks are not taken on these: they have connections of their own (earshot/storage/locks.py). Dagster's storage has a pool of its
own too, with psycopg 2, which dagster-postgres needs (resources/instance/storage.py).
"""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Self

import psycopg
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from earshot.common.errors import DatabaseUnusable
from earshot.storage.outages import RECONNECT_S, connect_with_retry

KEPT = 1  # connections of a process to a database; of a hundred, which is what Postgres allows
MOST = 22  # at once: a daemon's sensors and a code server's ticks ask together
MAX_IDLE_S = 10.0  # after which one of those beyond KEPT that were not needed is closed, and then the next
MAX_LIFETIME_S = 3600.0  # a connection that is older is made anew

Connection = psycopg.Connection[dict[str, Any]]


class _PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for a server that is restarted."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        connect = super().connect
        return connect_with_retry(conninfo, lambda: connect(conninfo, **kwargs), psycopg.OperationalError)


@contextmanager
def pooled_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction, committed at the end, rolled back on an error; rows come as dictionaries, vectors too.

    Raises DatabaseUnusable where Postgres does not answer.
    """
    try:
        pool = _pool(url, os.getpid())
        connection = pool.getconn()
    except psycopg.OperationalError as error:  # also where all are in use for too long
        raise DatabaseUnusable(f"Postgres does not answer: {str(error).strip()}.", "Run `earshot doctor`.") from error
    try:
        with connection:
            yield connection
    finally:
        pool.putconn(connection)


@contextmanager
def read_only(url: str) -> Iterator[Connection]:
    """As `pooled_connection()`, but nothing can be written, and all is read as at the first reading, whoever writes
    meanwhile."""
    with pooled_connection(url) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()
                connection.isolation_level = connection.read_only = None


@cache
def _pool(url: str, process: int) -> ConnectionPool[Connection]:
    """Of one process: a forked one must not use its parent's. Raises psycopg.OperationalError where nothing answers."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it would tell users of each connection that it replaces
    made: dict[str, Any] = {"connect_timeout": 10, "row_factory": dict_row, "prepare_threshold": None}
    # The pool's threads try again and again; that nothing answers at all is known here. And they know vectors from this one:
    # asking the server for each connection takes as long as connecting does.
    with _PatientConnection.connect(url, **made) as first:
        register_vector(first)
    pool: ConnectionPool[Any] = ConnectionPool(
        url,
        connection_class=_PatientConnection,
        kwargs={**made, "context": first},
        min_size=KEPT,
        max_size=MOST,
        open=False,
        check=ConnectionPool.check_connection,
        timeout=RECONNECT_S,
        max_lifetime=MAX_LIFETIME_S,
        max_idle=MAX_IDLE_S,
        reconnect_timeout=0.0,  # each attempt has waited already
    )
    pool.open(wait=True, timeout=RECONNECT_S)  # else who asks first has it grow
    atexit.register(_close, pool, process)
    return pool


def _close(pool: ConnectionPool[Any], process: int) -> None:
    """Stop the pool's threads, which a process else waits for at its end; not those of a parent."""
    if os.getpid() == process:
        pool.close()
