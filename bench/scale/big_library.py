"""A library of any size, made from one real video by copying its rows, Earshot's and Dagster's, in SQL.

`copy_video()` needs a home in which one video was ingested. Each copy has its own key, title, source, run, digests and vectors,
and ran a minute before the next one. All rows of the run are copied: its tags, events, materializations and checks get new ids,
also within their JSON, so that Dagster's code reads them like a real run's. A video that is really ingested afterwards is the
newest, and makes Dagster update its record of each asset's last materialization.

The copies have the length, words and timings of the original. Not simulated: the vector index (bench/search/search.py measures
it), videos that failed or ran several times, and ticks of sensors.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bench.scale.copied_tables import DAGSTER, EARSHOT, PASSAGES, Table, column
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, Source
from earshot.sources.polling import options_digest
from earshot.storage.database import Connection, open_database
from earshot.storage.server import server_urls

AT_ONCE = 1_000  # copies in one transaction
WRITERS = 2

Row = dict[str, Any]


def copy_video(copies: int, passages: int) -> None:
    """Copy the only video of this home `copies` times, with about `passages` passages in all (at least the original's each)."""
    urls = server_urls(read_settings())
    [original] = open_database().query(
        "SELECT video_id AS video, (SELECT max(run_id) FROM asset_timings) AS run, %s::bigint AS copies, "
        "(SELECT greatest(1, round(%s::float / %s / count(*)))::int FROM passages) AS times FROM videos",
        [copies, passages, copies],
    )
    for url, tables in ((urls.earshot, (*EARSHOT, PASSAGES)), (urls.dagster, DAGSTER)):
        with Connection.connect(url, row_factory=dict_row) as connection:
            parameters = original | number_offsets(connection, tables, original)
            statements = [statement(connection, table) for table in tables]
        copy_in_parts(url, statements, parameters)
        with Connection.connect(url, autocommit=True, row_factory=dict_row) as connection:
            advance_sequences(connection, tables)
            connection.execute("VACUUM (ANALYZE)")
    list_sources()


def number_offsets(connection: Connection, tables: Iterable[Table], original: Row) -> dict[str, int]:
    """The parameters of `numbered()`, for each table that numbers its rows."""
    offsets: dict[str, int] = {}
    for table in tables:
        if table.number:
            [row] = connection.execute(
                sql.SQL(
                    "SELECT (SELECT max({number}) FROM {table}) + 1 - min({number}) AS added, "
                    "1 + max({number}) - min({number}) AS each FROM {table} WHERE {where}"
                ).format(number=sql.Identifier(table.number), table=sql.Identifier(table.name), where=table.where),
                original,
            ).fetchall()
            offsets |= {f"{table.name}_{key}": value for key, value in row.items()}
    return offsets


def statement(connection: Connection, table: Table) -> sql.Composed:
    """The statement that copies the original's rows of this table for the copies `first` to `last`."""
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
        [table.name],
    )
    names = [row["column_name"] for row in rows]
    values = [table.changes.get(name, column(name)) for name in names]
    return sql.SQL(
        "WITH o AS MATERIALIZED (SELECT {found} FROM {table} WHERE {where}) "
        "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} "
        "FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n, generate_series(1, {times}) AS j, o ORDER BY n"
    ).format(
        found=sql.SQL(", ").join(
            [sql.SQL("*"), *(sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in table.found.items())]
        ),
        table=sql.Identifier(table.name),
        where=table.where,
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(values),
        times=sql.Placeholder("times") if table is PASSAGES else sql.SQL("1"),
    )


def copy_in_parts(url: str, statements: Sequence[sql.Composed], parameters: Row) -> None:
    """Run the statements for AT_ONCE copies per transaction, with WRITERS transactions in parallel."""

    def copy(first: int) -> None:
        last = min(first + AT_ONCE - 1, parameters["copies"])
        with psycopg.connect(url) as connection:
            connection.execute("SET LOCAL synchronous_commit = off")
            for copying in statements:
                connection.execute(copying, {**parameters, "first": first, "last": last})

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(copy, range(1, parameters["copies"] + 1, AT_ONCE)))


def advance_sequences(connection: Connection, tables: Iterable[Table]) -> None:
    """Advance each table's sequence beyond the copies' numbers."""
    for table in tables:
        if table.number:
            statement = sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), (SELECT max({}) FROM {}))").format(
                table.name, table.number, sql.Identifier(table.number), sql.Identifier(table.name)
            )
            connection.execute(statement)


def list_sources() -> None:
    """Record the copies' sources as just polled, with the copies as their listings, and add them to sources.yaml."""
    with open_database().connect() as connection:
        digest = options_digest(Source(Kind.FEED, "", ""))
        connection.execute(
            "INSERT INTO sources (source, options, fully_listed, looked_at) "
            "SELECT DISTINCT source, %s, true, now() FROM videos WHERE video_id LIKE 'copy-%%'",
            [digest],
        )
        connection.execute(
            "INSERT INTO source_videos (source, video_id, url, title, backlog, decision) "
            "SELECT source, video_id, url, title, true, 'wanted' FROM videos WHERE video_id LIKE 'copy-%'"
        )
        sources = connection.execute("SELECT source FROM sources ORDER BY source").fetchall()
    lines = [f"  - feed: {row['source']}\n    every: 1d\n" for row in sources]
    read_settings().sources.write_text("sources:\n" + "".join(lines))
