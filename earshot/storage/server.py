"""The Postgres server: the embedded one, started on demand, or the one in `EARSHOT_DATABASE_URL`.

`server_urls()` returns two databases on one server: Earshot's tables, and Dagster's own storage. The embedded server is
that of earshot/storage/postgres/embedded.py; it outlives the process that started it, and stops with `earshot down`. If it
dies, any process that uses it starts it again (earshot/storage/outages.py).

Creates no tables: earshot/storage/database.py creates Earshot's, and Dagster its own.
"""

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from earshot.common.errors import DatabaseUnusable
from earshot.config.settings import Settings
from earshot.storage.outages import connect, forget_revival, message_of, revive_with
from earshot.storage.postgres import embedded

EARSHOT_DATABASE = "earshot"
DAGSTER_SUFFIX = "_dagster"

_urls: dict[tuple[Path, str | None], "ServerUrls"] = {}
_starting = threading.Lock()

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerUrls:
    """Two libpq URLs. `dagster_sqlalchemy` names psycopg 2, which SQLAlchemy no longer assumes and dagster-postgres needs."""

    earshot: str
    dagster: str

    @property
    def dagster_sqlalchemy(self) -> str:
        return self.dagster.replace("postgresql://", "postgresql+psycopg2://", 1)


def server_urls(settings: Settings, beside_audio: bool = False) -> ServerUrls:
    """The URLs of this home's databases. Starts the embedded server and creates the databases if necessary.

    An embedded server is made in a home that has audio already only if it may be `beside_audio`.
    """
    key = (settings.home, settings.database_url)
    with _starting:
        if key not in _urls:
            _urls[key] = _external(settings.database_url) if settings.database_url else _embedded(settings.home, beside_audio)
            return _urls[key]
    connect(_urls[key].earshot).close()
    return _urls[key]


def stop_embedded(home: Path) -> bool:
    """Stop the embedded server of this home; False if none was running. This process does not start it again by itself."""
    for urls in _urls.values():
        forget_revival(urls.earshot)
    _urls.clear()
    return embedded.stop(home)


def _embedded(home: Path, beside_audio: bool) -> ServerUrls:
    if not beside_audio:
        embedded.refuse_audio_alone(home)
    sockets = embedded.start(home)
    names = (EARSHOT_DATABASE, EARSHOT_DATABASE + DAGSTER_SUFFIX)
    urls = ServerUrls(*(embedded.url(sockets, name) for name in names))
    revive_with(urls.earshot, partial(_revive, home))
    _create_databases(embedded.url(sockets, embedded.SUPERUSER), names)
    return urls


def _revive(home: Path) -> bool:
    """Start the embedded server again; False if it runs."""
    if not embedded.revive(home):
        return False
    log.error("The embedded Postgres had stopped, and was started again. %s says why.", embedded.log_of(home))
    return True


def _external(url: str) -> ServerUrls:
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if parts.scheme not in ("postgresql", "postgres") or not name:
        raise DatabaseUnusable(
            f"EARSHOT_DATABASE_URL is not a Postgres URL with a database name (scheme {parts.scheme!r}, name {name!r}).",
            "Write it as postgresql://user:password@host:5432/earshot.",
        )
    earshot = urlunsplit(("postgresql", *parts[1:]))
    dagster = urlunsplit(("postgresql", parts.netloc, f"/{name}{DAGSTER_SUFFIX}", parts.query, ""))
    if not (_answers(earshot) and _answers(dagster)):
        _create_databases(urlunsplit(("postgresql", parts.netloc, "/postgres", parts.query, "")), (name, name + DAGSTER_SUFFIX))
    return ServerUrls(earshot, dagster)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_databases(url: str, names: tuple[str, ...]) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            for name in names:
                _create_database(connection, name)
    except psycopg.Error as error:
        raise DatabaseUnusable(
            f"The Postgres server cannot be used: {message_of(error)}.",
            f"Check that it is running, that the URL is right, and that its user may create databases ({' and '.join(names)}).",
        ) from error


def _create_database(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return
    # Another process of this home may create it at the same moment.
    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
