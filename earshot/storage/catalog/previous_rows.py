"""Previous rows: what a stage had left of a video before it was run again, where the run was asked to keep it.

They are copied to the table of the same name in schema `previous`, in the transaction that replaces them; one generation, so
that what was kept before goes. `earshot backfill --keep-previous` asks for it. They are read by SQL (docs/guides/backfill.md).

Voices are not kept: forgetting a person must find every vector of theirs. Nor is audio, which no backfill changes by itself.
"""

from collections.abc import Iterable

from psycopg import sql

from earshot.storage.database import Connection

KEPT = ("transcripts", "segments", "words", "turns", "exclusive_turns", "passages")

# In a run with this tag, "true", what its stages replace is kept.
KEEP_TAG = "earshot/keep_previous"


def keep_previous(connection: Connection, video_id: str, tables: Iterable[str]) -> None:
    """Copy the video's rows of those of the tables that are kept; part of the transaction that replaces them."""
    for table in sorted(set(tables) & set(KEPT)):
        now, before = sql.Identifier(table), sql.Identifier("previous", table)
        connection.execute(sql.SQL("DELETE FROM {} WHERE video_id = %s").format(before), [video_id])
        connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE video_id = %s").format(before, now), [video_id])
