"""Connections to Earshot's database, kept: a video's five stages ask for some sixty, and each costs Postgres a process.

A process keeps POOL_SIZE of them in a pool of SQLAlchemy's, which Dagster's come from too (resources/instance/storage.py), and
lets more be made while they are used. One that a restart of the server has broken is found before it is used, and a server that
is away is waited for (earshot/storage/outages.py). A connection is in a transaction while it is used, and is given back without
one.

Statements are not prepared, as psycopg else would after the fifth time: a plan that Postgres then keeps for all values is
another one, and for a search among vectors a slow one.

Locks are not taken on these: they have connections of their own (earshot/storage/locks.py).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import psycopg
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row
from sqlalchemy import exc
from sqlalchemy.pool import QueuePool

from earshot.common.errors import DatabaseUnusable
from earshot.storage.outages import check_kept_connections, connect_with_retry

POOL_SIZE = 2  # connections of a process to a database; of a hundred, which is what Postgres allows
MAX_OVERFLOW = 20  # beyond these, while they are used: a daemon's sensors and a code server's ticks ask at once
RECYCLE_S = 3600  # a connection that is older is made anew

Connection = psycopg.Connection[dict[str, Any]]


@contextmanager
def pooled_connection(url: str) -> Iterator[Connection]:
    """A connection in a transaction, committed at the end, rolled back on an error; rows come as dictionaries, vectors too.

    Raises DatabaseUnusable where Postgres does not answer.
    """
    try:
        kept = _pool(url, os.getpid()).connect()
    except (psycopg.OperationalError, exc.TimeoutError) as error:
        raise DatabaseUnusable(f"Postgres does not answer: {str(error).strip()}.", "Run `earshot doctor`.") from error
    connection = cast(Connection, kept.dbapi_connection)
    try:
        yield connection
        connection.commit()
    finally:
        if connection.closed:
            kept.invalidate()
        kept.close()


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
def _pool(url: str, _process: int) -> QueuePool:
    """Of one process: a forked one must not use its parent's."""
    # The first one: later ones know vectors by it. Asking the server takes as long as connecting does.
    known: list[Connection] = []

    def make() -> Connection:
        connection = connect_with_retry(url, lambda: _connect(url, known), psycopg.OperationalError)
        if not known:
            register_vector(connection)
            connection.commit()
            known.append(connection)
        return connection

    check_kept_connections()
    return QueuePool(cast(Any, make), pool_size=POOL_SIZE, max_overflow=MAX_OVERFLOW, recycle=RECYCLE_S, use_lifo=True)


def _connect(url: str, known: list[Connection]) -> Connection:
    context = known[0] if known else None
    return Connection.connect(url, row_factory=dict_row, connect_timeout=10, context=context, prepare_threshold=None)
