"""A database server that is restarted while work goes on: connections wait for it, instead of failing what was hours of work.

`connect_with_retry()` is how Earshot's own connections are made (earshot/storage/pool.py), and Dagster's, to whose
engine `wait_for_restarts()` adds it (resources/instance/storage.py). A server that has never answered this process is a wrong
set-up and is told at once; one that has is waited for, RECONNECT_S long, and once: Dagster connects again and again, and would
otherwise wait for hours for a server that is gone for good. A statement that was under way when the server went is lost with
it, which is told by `is_outage()`: ingest_assets/stages/stage.py has the stage, or the run, done again.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import psycopg2

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

RECONNECT_S = 45.0
PAUSE_S = 0.5

Opened = TypeVar("Opened")

_answered: set[str] = set()  # the servers that this process has been connected to


def connect_with_retry(server: str, connect: Callable[[], Opened], refused: type[Exception]) -> Opened:
    """What `connect` opens. Raises `refused` as it does: at once, or after RECONNECT_S where the server had answered before."""
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
    """Whether this, or what it was raised from, is a server that went away or is not there. Of both drivers."""
    while error is not None:
        if isinstance(error, psycopg.OperationalError | psycopg2.OperationalError | psycopg2.InterfaceError):
            return True
        error = error.__cause__ or error.__context__
    return False


def wait_for_restarts(engine: "Engine") -> None:
    """Let the connections of this SQLAlchemy engine, which only Dagster's storage uses here, wait likewise."""
    from sqlalchemy import event  # half a second, which Earshot's own commands do without

    event.listen(engine, "do_connect", _connect)


def _connect(dialect: "Dialect", _record: object, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> object:
    server = f"{arguments} {parameters.get('host')} {parameters.get('port')} {parameters.get('dbname')}"
    refused = dialect.loaded_dbapi.OperationalError
    return connect_with_retry(server, lambda: dialect.connect(*arguments, **parameters), refused)
