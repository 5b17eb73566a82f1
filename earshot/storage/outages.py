"""Outages: reconnects to a database server that is away, so that hours of work do not fail.

All connections of Earshot open with `connect()` or `connect_with_retry()`; `wait_for_restarts()` adds the latter to Dagster's
engine (resources/instance/storage.py). If the server never answered this process, connecting fails at once: the configuration
is wrong. Otherwise an outage begins, which all connections of the process share: a server that has a revival, as the embedded
one does (earshot/storage/server.py), is started again once, and connecting is retried until RECONNECT_S after the first
refusal. Then every attempt raises DatabaseUnusable at once, until one succeeds: Dagster reconnects again and again, and would
wait for hours for a server that is gone for good.

A statement that was running when the server stopped is lost; ingest_assets/stages/stage.py recognises that with `is_outage()`
and repeats the stage or the run.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from earshot.common.errors import DatabaseUnusable, Misconfigured, error_chain
from earshot.common.text import one_line

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

# With CONNECT_S and the end of the command, less than a minute.
RECONNECT_S = 40.0
CONNECT_S = 5  # for one attempt
PAUSE_S = 0.5
# A server that dies again and again is not started for ever.
MOST_REVIVALS = 5
REVIVALS_WITHIN_S = 600.0
REMEDY = "Run `earshot doctor`."

Opened = TypeVar("Opened")

log = logging.getLogger(__name__)


@dataclass
class _Outage:
    """A server that has refused a connection and not answered since. `ends` by `time.monotonic()`."""

    ends: float
    revived: bool = False
    failure: Misconfigured | None = None


@dataclass
class _Revival:
    """How to start a server again, and when that was done lately, by `time.monotonic()`."""

    start: Callable[[], bool]
    times: list[float] = field(default_factory=list)


_answered: set[str] = set()  # servers that have answered this process
_outages: dict[str, _Outage] = {}
_revivals: dict[str, _Revival] = {}
_guard = threading.Lock()


def connect(url: str, **options: Any) -> psycopg.Connection[Any]:
    """A connection of psycopg to this libpq URL. Raises DatabaseUnusable if the server does not answer."""
    options.setdefault("connect_timeout", CONNECT_S)
    return connect_with_retry(server_of(url), lambda: psycopg.connect(url, **options), psycopg.OperationalError)


def connect_with_retry(server: str, connect: Callable[[], Opened], refused: type[Exception]) -> Opened:
    """Call `connect`, again during an outage if it raises `refused`. Raises DatabaseUnusable once that has lasted too long."""
    while True:
        try:
            opened = connect()
        except refused as error:
            _wait(server, error)
        else:
            _answered.add(server)
            _outages.pop(server, None)
            return opened


def revive_with(url: str, revival: Callable[[], bool]) -> None:
    """Call `revival` if the server of this URL, which answers now, goes away, until it returns that it has started it.

    It raises Misconfigured if that fails.
    """
    _answered.add(server_of(url))
    _revivals[server_of(url)] = _Revival(revival)


def forget_revival(url: str) -> None:
    """Do not start the server of this URL again."""
    _revivals.pop(server_of(url), None)


def is_away(url: str) -> bool:
    """Whether the server of this URL refused this process's last attempt to connect."""
    return server_of(url) in _outages


def refuse_gone(url: str) -> None:
    """Raise DatabaseUnusable if the server of this URL has been away for so long that connecting is not retried any more."""
    outage = _outages.get(server_of(url))
    if outage is not None and time.monotonic() >= outage.ends:
        raise outage.failure or DatabaseUnusable("Postgres does not answer.", REMEDY)


def is_outage(error: BaseException) -> bool:
    """Whether this error, or one in its chain, means that a statement was lost with the server. Knows psycopg 2 and 3.

    False if the server stays away, so that doing it again is useless.
    """
    links, lost = list(error_chain(error)), (psycopg.OperationalError, *_errors_of_psycopg2())
    return any(isinstance(link, lost) for link in links) and not any(isinstance(link, DatabaseUnusable) for link in links)


def explain_outage(error: BaseException) -> Misconfigured | None:
    """The error for the user, if this one means that the server is away."""
    explained = next((link for link in error_chain(error) if isinstance(link, DatabaseUnusable)), None)
    lost = next((link for link in error_chain(error) if _is_loss(link)), None)
    if explained is None and lost is not None:
        return DatabaseUnusable(f"The connection to Postgres was lost: {message_of(lost)}.", "Run the command again.")
    return explained


def server_of(url: str) -> str:
    """What the URLs of all databases of a server have in common."""
    return _server(conninfo_to_dict(url))


def _server(parameters: dict[str, Any]) -> str:
    return f"{parameters.get('host') or ''}:{parameters.get('port') or ''}"


def _wait(server: str, error: Exception) -> None:
    """Return when the server may answer again. Raises DatabaseUnusable if that is not to be expected."""
    with _guard:
        patience_s = RECONNECT_S if server in _answered else 0.0
        outage = _outages.setdefault(server, _Outage(time.monotonic() + patience_s))
        if server in _revivals and not outage.revived and _revive(server, outage):
            return
    if time.monotonic() >= outage.ends:
        raise outage.failure or _unreachable(error) from error
    time.sleep(PAUSE_S)


def _revive(server: str, outage: _Outage) -> bool:
    """Start the server again; False if it runs, perhaps only for another moment, or died too often."""
    now, revival = time.monotonic(), _revivals[server]
    revival.times = [at for at in revival.times if now - at < REVIVALS_WITHIN_S]
    if len(revival.times) >= MOST_REVIVALS:
        return False
    try:
        outage.revived = revival.start()
    except Misconfigured as failure:
        outage.ends, outage.failure = now, failure
        raise
    if outage.revived:
        revival.times.append(now)
    return outage.revived


def _unreachable(error: Exception) -> DatabaseUnusable:
    return DatabaseUnusable(f"Postgres does not answer: {message_of(error)}.", REMEDY)


def message_of(error: BaseException) -> str:
    """A driver's message, which may have several lines, as part of a sentence."""
    return one_line(str(error)).rstrip(".")


def _is_loss(error: BaseException) -> bool:
    """Whether the connection broke, or the server ended it; many other errors of drivers have the same classes."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    return isinstance(error, (psycopg.OperationalError, *_errors_of_psycopg2())) and state[:3] in ("", "57P", "080")


def _errors_of_psycopg2() -> tuple[type[Exception], ...]:
    """None unless Dagster's storage has loaded psycopg2, without which there is no error of it."""
    psycopg2 = sys.modules.get("psycopg2")
    return (psycopg2.OperationalError, psycopg2.InterfaceError) if psycopg2 else ()


def wait_for_restarts(engine: "Engine") -> None:
    """Make this SQLAlchemy engine reconnect in the same way. Only Dagster's storage uses SQLAlchemy here."""
    from sqlalchemy import event  # takes half a second, which Earshot's own commands save

    event.listen(engine, "do_connect", _connect)


def _connect(dialect: "Dialect", _record: object, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> object:
    refused = dialect.loaded_dbapi.OperationalError
    parameters.setdefault("connect_timeout", CONNECT_S)
    return connect_with_retry(_server(parameters), lambda: dialect.connect(*arguments, **parameters), refused)
