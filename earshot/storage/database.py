"""The database: Earshot's tables, their migrations, and the one way to replace a video's rows.

`open_database()` brings the schema up to date: it applies the numbered SQL files under earshot/storage/migrations in order,
each in its own transaction, under an advisory lock so that two processes starting at once do it once. Migrations read
EARSHOT_MEDIA from the Postgres setting `earshot.sources.media`. A database that is newer than the code is refused.

Every stage writes with `replace()`: it deletes and inserts one video's rows in one transaction, with binary COPY. Running a
stage twice changes nothing, and a crash leaves the old rows. `snapshot()` reads several tables in one consistent state.
earshot/storage/server.py chooses the server.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus
from psycopg.rows import tuple_row

from earshot.common.errors import DatabaseUnusable
from earshot.config.settings import read_settings
from earshot.storage.outages import connect, message_of
from earshot.storage.pool import Connection, pooled_connection, read_only
from earshot.storage.server import server_urls

if TYPE_CHECKING:
    import pandas as pd

MIGRATIONS = Path(__file__).parent / "migrations"
ROWS_AT_ONCE = 1000  # of `stream()`
_MIGRATION_LOCK = 0x0EA25407  # an arbitrary constant


@dataclass(frozen=True)
class Database:
    """One Postgres database, by libpq URL. Each operation takes one of the connections of earshot/storage/pool.py."""

    url: str
    _column_types: dict[str, dict[str, str]] = field(default_factory=dict, compare=False, repr=False)
    _connection: Connection | None = field(default=None, compare=False, repr=False)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction, committed at the end, rolled back on an error; rows come as dictionaries."""
        if self._connection is not None:
            yield self._connection
            return
        with pooled_connection(self.url) as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator["Database"]:
        """A read-only view of the database as of the block's first query, whatever others write meanwhile.

        A nested snapshot is the outer one.
        """
        if self._connection is not None:
            yield self
            return
        with read_only(self.url) as connection:
            yield changed(self, _connection=connection)

    @contextmanager
    def transaction(self) -> Iterator["Database"]:
        """The database in one transaction, committed at the end of the block, rolled back on an error."""
        with self.connect() as connection:
            yield changed(self, _connection=connection)

    def query(
        self, statement: str | sql.Composable, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """The rows of a SELECT or a RETURNING clause; [] for a statement that returns none. Vectors are pgvector's."""
        with self.connect() as connection:
            cursor = connection.execute(statement, parameters)  # pyright: ignore[reportArgumentType]
            if cursor.pgresult is None or cursor.pgresult.status != ExecStatus.TUPLES_OK:  # rows may have no columns
                return []
            return cursor.fetchall()

    def stream(self, statement: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Like `query()`, but ROWS_AT_ONCE rows at a time to save memory; the transaction stays open until the last."""
        with self.connect() as connection, connection.cursor(name="stream") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(statement, parameters)  # pyright: ignore[reportArgumentType]

    def frame(self, table: str, video_id: str, order: str) -> "pd.DataFrame":
        """A video's rows of one table as a DataFrame, ordered by one column; without rows it still has all columns."""
        import pandas as pd

        statement = sql.SQL("SELECT * FROM {} WHERE video_id = %s ORDER BY {}").format(
            sql.Identifier(table), sql.Identifier(order)
        )
        with self.connect() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            rows = cursor.execute(statement, [video_id]).fetchall()
            columns = [column.name for column in cursor.description or ()]
        values = zip(*rows, strict=True) if rows else ([] for _ in columns)
        return pd.DataFrame({column: _series(list(of_rows)) for column, of_rows in zip(columns, values, strict=True)})

    def replace(self, video_id: str, frames: "Mapping[str, pd.DataFrame]", only: Mapping[str, str] | None = None) -> None:
        """Replace the video's rows of each table with those of the frame (without the column video_id), all or nothing.

        With `only`, replace just the rows that have these values in these columns.
        """
        with self.connect() as connection:
            self.replace_within(connection, video_id, frames, only)

    def replace_within(
        self,
        connection: Connection,
        video_id: str,
        frames: "Mapping[str, pd.DataFrame]",
        only: Mapping[str, str] | None = None,
    ) -> None:
        """`replace()` as part of the caller's transaction."""
        known = {"video_id": video_id, **(only or {})}
        conditions = [sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value)) for column, value in known.items()]
        for table, frame in frames.items():
            statement = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), sql.SQL(" AND ").join(conditions))
            connection.execute(statement)
            self._copy(connection, table, frame.assign(video_id=video_id))

    def _copy(self, connection: Connection, table: str, frame: "pd.DataFrame") -> None:
        columns = [str(column) for column in frame.columns]
        types = self._types(connection, table)
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        values = [_values(frame[column], types[column]) for column in columns]
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([types[column] for column in columns])
            for row in zip(*values, strict=True):
                copy.write_row(row)

    def _types(self, connection: Connection, table: str) -> dict[str, str]:
        if table not in self._column_types:
            rows = connection.execute(
                "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                [table],
            )
            self._column_types[table] = {row["attname"]: row["type"] for row in rows}
        return self._column_types[table]


def _values(column: "pd.Series", column_type: str) -> list[Any]:
    """Plain Python values: psycopg has no dumper for numpy's integers, and a missing text must be NULL, not NaN."""
    values = column.tolist()
    if column_type != "text":
        return values
    return [None if missing else value for value, missing in zip(values, column.isna().tolist(), strict=True)]


def _series(values: list[Any]) -> "pd.Series":
    """A column in which NULL stays None: pandas' own string and float columns would make it NaN."""
    import pandas as pd

    return pd.Series(values, dtype=object if not values or None in values else None)


def open_database() -> Database:
    """Earshot's database. Starts its server if necessary and applies missing migrations."""
    url = server_urls(read_settings()).earshot
    if url not in _ready:
        migrate(url)
        _ready[url] = Database(url)
    return _ready[url]


_ready: dict[str, Database] = {}


def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply missing migrations; returns their names. Raises DatabaseUnusable if the schema is newer than the code."""
    files = sorted(folder.glob("[0-9]*.sql"))
    applied = []
    try:
        with connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
            known = _applied_versions(connection)
            _refuse_newer(known, files)
            connection.execute("SELECT set_config('earshot.sources.media', %s, false)", [read_settings().media])
            for file in files:
                if int(file.name[:4]) not in known:
                    _apply(connection, file)
                    applied.append(file.name)
    except psycopg.Error as error:
        raise DatabaseUnusable(
            f"The database schema could not be updated: {message_of(error)}.",
            "The server must be PostgreSQL 14 or newer with the extension pgvector, and its user must own the database.",
        ) from error
    return applied


def _applied_versions(connection: psycopg.Connection) -> set[int]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return {row[0] for row in connection.execute("SELECT version FROM schema_migrations")}


def _refuse_newer(known: set[int], files: list[Path]) -> None:
    newest = max((int(file.name[:4]) for file in files), default=0)
    if known and max(known) > newest:
        raise DatabaseUnusable(
            f"The database has schema version {max(known)}, but this code only knows versions up to {newest}.",
            "Update the code (git pull), or restore a backup of the older version into another home or database.",
        )


def _apply(connection: psycopg.Connection, file: Path) -> None:
    with connection.transaction():
        connection.execute(file.read_bytes())
        connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", [int(file.name[:4]), file.name])
