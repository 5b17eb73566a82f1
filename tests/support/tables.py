"""All rows of Earshot's database at once: deleted, copied out and put back. The schema and its version stay."""

from psycopg import sql

from earshot.storage.database import Connection, Database


def empty_tables(database: Database) -> None:
    """Delete every row. TRUNCATE would recreate the files of all tables, which takes a hundred times as long."""
    with database.connect() as connection:
        _ignore_references(connection)
        connection.execute(
            sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in _tables(connection))
        )


def dump_tables(database: Database) -> dict[str, bytes]:
    """The rows of every table that has any, for `restore_tables()`."""
    rows = {}
    with database.connect() as connection, connection.cursor() as cursor:
        for table in _tables(connection):
            with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as out:
                rows[table] = b"".join(out)
    return {table: text for table, text in rows.items() if text}


def restore_tables(database: Database, rows: dict[str, bytes]) -> None:
    """Put the rows of `dump_tables()` into tables that were emptied since."""
    with database.connect() as connection, connection.cursor() as cursor:
        _ignore_references(connection)
        for table, text in rows.items():
            with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as into:
                into.write(text)


def _ignore_references(connection: Connection) -> None:
    """Let the transaction change tables in any order, despite foreign keys."""
    connection.execute("SET LOCAL session_replication_role = replica")


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
    ).fetchall()
    return [row["tablename"] for row in rows]
