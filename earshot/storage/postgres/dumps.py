"""Dumps of whole databases with `pg_dump` and `pg_restore`: one consistent moment each, while others write.

`frozen()` holds the moment; several databases are frozen one right after the other. The dump is a stream, so memory is bounded.
The embedded server's programs are used, or newer ones on the PATH if the server is newer. A dump can be restored into an older
server, from PostgreSQL 14 on.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from earshot.common.errors import DatabaseUnusable
from earshot.storage.full_disk import WORDS, disk_full
from earshot.storage.outages import connect
from earshot.storage.postgres.programs import MAJOR, programs

HARMLESS = (
    # PostgreSQL 17 has it, and pg_restore sets it before anything else; an older server does not need it.
    'unrecognized configuration parameter "transaction_timeout"',
    # Dumped if it was recreated, as `empty()` does.
    'schema "public" already exists',
)


Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Frozen:
    """A database at one moment: `connection` reads it as it was, and so does `pg_dump` with this `snapshot`."""

    url: str
    connection: Connection
    snapshot: str


@contextmanager
def frozen(url: str) -> Iterator[Frozen]:
    """The database as of now, for the length of the block. Raises DatabaseUnusable if it cannot be reached."""
    with connect(url, row_factory=dict_row) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        row = connection.execute("SELECT pg_export_snapshot() AS snapshot").fetchone()
        assert row is not None  # a function has one row
        yield Frozen(url, connection, row["snapshot"])


@contextmanager
def dump(database: Frozen) -> Iterator[BinaryIO]:
    """The dump as a stream. Raises DatabaseUnusable at the end of the block if it is not complete."""
    program = _pg_dump(database.connection.info.server_version // 10_000)
    arguments = [program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={database.snapshot}"]
    address, environment = _without_password(database.url)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*arguments, f"--dbname={address}"], stdout=subprocess.PIPE, stderr=errors, env=environment, cwd="/"
        )
        assert process.stdout is not None  # it is a pipe
        try:
            yield cast(BinaryIO, process.stdout)
            failed = process.wait() != 0
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if failed:
            raise DatabaseUnusable(f"The database could not be dumped: {_text(errors)}.", "Run `earshot doctor`.")


def load(url: str, file: Path) -> None:
    """Restore a dump into an empty database. Raises DiskFull or DatabaseUnusable; some tables may be there then."""
    address, environment = _without_password(url)
    arguments = ["--no-owner", "--no-privileges", "--no-comments", f"--dbname={address}", str(file)]
    done = subprocess.run(
        [str(programs() / "pg_restore"), *arguments], capture_output=True, text=True, check=False, env=environment, cwd="/"
    )
    errors = [line for line in done.stderr.splitlines() if "error:" in line and not any(known in line for known in HARMLESS)]
    if full := next((line for line in errors if WORDS in line), None):
        raise disk_full(full)
    if errors or done.returncode not in (0, 1):  # 1 with errors that were ignored
        raise DatabaseUnusable(
            f"The database could not be restored: {errors[0] if errors else done.stderr.strip()}.",
            "The server must be PostgreSQL 14 or newer with the extension pgvector, and its user must own the database.",
        )
    with connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def empty(url: str) -> None:
    """Delete everything in the database."""
    with connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
        for (schema,) in rows:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        connection.execute("CREATE SCHEMA public")


def _pg_dump(server: int) -> str:
    """A pg_dump that is not older than the server (its major version)."""
    if server <= MAJOR:
        return str(programs() / "pg_dump")
    found = shutil.which("pg_dump")
    if found is None or _major(found) < server:
        raise DatabaseUnusable(
            f"The server is PostgreSQL {server}, which Earshot's pg_dump, of version {MAJOR}, cannot dump.",
            f"Install the client programs of PostgreSQL {server}, so that `pg_dump` on the PATH is theirs.",
        )
    return found


def _major(program: str) -> int:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+", shown)
    return int(number[0]) if number else 0


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The address for a command line, which other users can read, and the environment with its password."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _text(errors: IO[bytes]) -> str:
    errors.seek(0)
    return " ".join(errors.read().decode(errors="replace").split())
