"""Outages: reconnects to a database server that restarts, so that hours of work do not fail.

Earshot's own connections (earshot/storage/pool.py) use `connect_with_retry()`; `wait_for_restarts()` adds it to Dagster's
engine (resources/instance/storage.py). If the server never answered this process, connecting fails at once: the configuration
is wrong. Otherwise it is retried for RECONNECT_S, but only once per outage, since Dagster reconnects again and again and would
wait for hours for a server that is gone for good. A statement that was running when the server stopped is lost;
ingest_assets/stages/stage.py recognises that with `is_outage()` and repeats the stage or the run.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

RECONNECT_S = 45.0
PAUSE_S = 0.5

Opened = TypeVar("Opened")

_answered: set[str] = set()  # servers that answered this process's last attempt to connect


def connect_with_retry(server: str, connect: Callable[[], Opened], refused: type[Exception]) -> Opened:
    """Call `connect`, retrying for RECONNECT_S if it raises `refused` and the server has answered before."""
    deadline = time.monotonic() + (RECONNECT_S if server in _answered else 0.0)
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
    """Whether this error, or one in its chain, means that the server is away. Knows psycopg 2 and 3."""
    while error is not None:
        if isinstance(error, (psycopg.OperationalError, *_errors_of_psycopg2())):
            return True
        error = error.__cause__ or error.__context__
    return False


def _errors_of_psycopg2() -> tuple[type[Exception], ...]:
    """None unless Dagster's storage has loaded psycopg2, without which there is no error of it."""
    psycopg2 = sys.modules.get("psycopg2")
    return (psycopg2.OperationalError, psycopg2.InterfaceError) if psycopg2 else ()


def wait_for_restarts(engine: "Engine") -> None:
    """Make this SQLAlchemy engine retry in the same way. Only Dagster's storage uses SQLAlchemy here."""
    from sqlalchemy import event  # takes half a second, which Earshot's own commands save

    event.listen(engine, "do_connect", _connect)


def _connect(dialect: "Dialect", _record: object, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> object:
    server = f"{arguments} {parameters.get('host')} {parameters.get('port')} {parameters.get('dbname')}"
    refused = dialect.loaded_dbapi.OperationalError
    return connect_with_retry(server, lambda: dialect.connect(*arguments, **parameters), refused)
