"""A database server that is restarted while work goes on: connections wait for it, instead of failing what was hours of work.

`connect_patiently()` is how Earshot's own connections are made (resources/connections.py), and Dagster's, to which
`make_dagster_patient()` adds it by SQLAlchemy's events. A server that has never answered this process is a wrong set-up and is
told at once; one that has is waited for, PATIENCE_S long, and once: Dagster connects again and again, and would otherwise wait
for hours for a server that is gone for good. A statement that was under way when the server went is lost with it,
which is told by `is_outage()`: ingest_assets/stage.py has the stage, or the run, done again.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
import psycopg2
from sqlalchemy import Dialect, Engine, event, exc
from sqlalchemy.pool import QueuePool

PATIENCE_S = 45.0
PAUSE_S = 0.5

Opened = TypeVar("Opened")

_answered: set[str] = set()  # the servers that this process has been connected to


def connect_patiently(server: str, connect: Callable[[], Opened], refused: type[Exception]) -> Opened:
    """What `connect` opens. Raises `refused` as it does: at once, or after PATIENCE_S where the server had answered before."""
    deadline = time.monotonic() + (PATIENCE_S if server in _answered else 0.0)
    while True:
        try:
            opened = connect()
        except refused:
            if time.monotonic() >= deadline:
                _answered.discard(server)
                raise
            time.sleep(PAUSE_S)
        else:
            _answered.add(server)
            return opened


def is_outage(error: BaseException | None) -> bool:
    """Whether this, or what it was raised from, is a server that went away or is not there. Of both drivers."""
    while error is not None:
        if isinstance(error, psycopg.OperationalError | psycopg2.OperationalError | psycopg2.InterfaceError):
            return True
        error = error.__cause__ or error.__context__
    return False


def make_dagster_patient() -> None:
    """Let SQLAlchemy's engines, which only Dagster uses here, wait likewise; call it as often as you like."""
    if not event.contains(Engine, "do_connect", _connect):
        event.listen(Engine, "do_connect", _connect)
    check_kept_connections()


def check_kept_connections() -> None:
    """Have every connection that a pool has kept looked at before it is used again; call it as often as you like."""
    if not event.contains(QueuePool, "checkout", _check):
        event.listen(QueuePool, "checkout", _check)


def _connect(dialect: Dialect, _record: object, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> object:
    server = f"{arguments} {parameters.get('host')} {parameters.get('port')} {parameters.get('dbname')}"
    refused = dialect.loaded_dbapi.OperationalError
    return connect_patiently(server, lambda: dialect.connect(*arguments, **parameters), refused)


def _check(connection: Any, _record: object, _proxy: object) -> None:
    """One that a restart has broken is replaced. Of both drivers.

    SQLAlchemy's `pool_pre_ping` does the same, but the webserver's pools are made by Dagster, without it.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except (psycopg.Error, psycopg2.Error) as error:
        raise exc.DisconnectionError from error
