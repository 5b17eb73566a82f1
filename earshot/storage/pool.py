"""The connection pool: a video's five stages need about sixty connections, and each new one costs Postgres a process.

Each process keeps one connection in a psycopg_pool, and opens more on demand. Connections broken by a restart of the server are
detected before use. A server that is away is waited for outside the pool (earshot/storage/outages.py), which would wait anew
for each connection. A connection is in a transaction while it is in use.

Statements are never prepared, which psycopg would do after five executions: Postgres then switches to a generic plan, which is
slow for vector search.

Locks have their own connections (earshot/storage/locks.py). So does Dagster's storage, in a pool of psycopg 2, which
dagster-postgres needs (resources/instance/storage.py).
"""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from earshot.common.errors import DatabaseUnusable
from earshot.storage.outages import connect, connect_with_retry, is_away, message_of, server_of

KEPT = 1  # idle connections per process and database; Postgres allows a hundred in all
MOST = 22  # connections at once: a daemon's sensors and a code server's ticks run concurrently
MAX_IDLE_S = 10.0  # if connections beyond KEPT went unused for so long, one of them is closed
MAX_LIFETIME_S = 3600.0  # older connections are replaced
BUSY_S = 45.0  # of waiting while all connections are in use

Connection = psycopg.Connection[dict[str, Any]]


class _ReconnectingConnection(psycopg.Connection[Any]):
    """A connection that retries while the server restarts."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        connect = super().connect
        return connect_with_retry(server_of(conninfo), lambda: connect(conninfo, **kwargs), psycopg.OperationalError)


@contextmanager
def pooled_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction, committed at the end, rolled back on an error; rows come as dictionaries, vectors too.

    Raises DatabaseUnusable if Postgres does not answer.
    """
    try:
        pool = _pool_of(url, os.getpid())
        connection = _take(pool, url)
    except psycopg.OperationalError as error:  # all connections are in use for too long
        raise DatabaseUnusable(f"Postgres does not answer: {message_of(error)}.", "Run `earshot doctor`.") from error
    try:
        with connection:
            yield connection
    finally:
        pool.putconn(connection)


@contextmanager
def read_only(url: str) -> Iterator[Connection]:
    """Like `pooled_connection()`, but read-only, and every query sees the database as of the first one."""
    with pooled_connection(url) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()
                connection.isolation_level = connection.read_only = None


def close_pool(url: str) -> None:
    """Close this process's connections to the database; the next operation opens others."""
    pool = _pools.pop((url, os.getpid()), None)
    if pool is not None:
        pool.close()


_pools: dict[tuple[str, int], ConnectionPool[Connection]] = {}  # by URL and process: a fork must not use its parent's


def _pool_of(url: str, process: int) -> ConnectionPool[Connection]:
    if (url, process) not in _pools:
        _pools[url, process] = _open(url, process)
    return _pools[url, process]


def _take(pool: ConnectionPool[Any], url: str) -> Connection:
    """A working connection. Raises DatabaseUnusable if the server is away, psycopg.OperationalError if none gets free."""
    while True:
        if is_away(url):
            connect(url).close()
        connection = pool.getconn()
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            pool.putconn(connection)  # which closes it
            connect(url).close()
        else:
            return connection


def _open(url: str, process: int) -> ConnectionPool[Connection]:
    """A new pool. Raises DatabaseUnusable if nothing answers."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it would warn of each connection that it replaces
    options: dict[str, Any] = {"connect_timeout": 10, "row_factory": dict_row, "prepare_threshold": None}
    # The pool's threads retry silently, so a missing server is detected here. They also take the vector type from this
    # connection: querying it for each connection takes as long as connecting does.
    with _ReconnectingConnection.connect(url, **options) as template:
        register_vector(template)
    pool: ConnectionPool[Any] = ConnectionPool(
        url,
        connection_class=_ReconnectingConnection,
        kwargs={**options, "context": template},
        min_size=KEPT,
        max_size=MOST,
        open=False,
        timeout=BUSY_S,
        max_lifetime=MAX_LIFETIME_S,
        max_idle=MAX_IDLE_S,
        reconnect_timeout=0.0,  # each attempt already retries
    )
    pool.open(wait=True, timeout=BUSY_S)  # without waiting, the first request would grow the pool
    atexit.register(_close, pool, process)
    return pool


def _close(pool: ConnectionPool[Any], process: int) -> None:
    """Stop the pool's threads, which would delay the process's exit. A parent's pool is left alone."""
    if os.getpid() == process:
        pool.close()
