"""Previous rows: a stage's rows of a video from before its last run, kept if that run was tagged to keep them.

The transaction that replaces the rows copies them to the table of the same name in schema `previous`, where they overwrite
older ones: only one generation is kept. `earshot backfill --keep-previous` sets the tag. Read the rows with SQL
(docs/guides/operation/backfill.md).

Voices are not kept, so that forgetting a person finds every vector of theirs. Nor is audio, which a backfill does not change.
"""

from collections.abc import Iterable

from psycopg import sql

from earshot.storage.database import Connection

KEPT = ("transcripts", "segments", "words", "turns", "exclusive_turns", "passages")

# Run tag; "true" keeps the rows that the run's stages replace.
KEEP_TAG = "earshot/keep_previous"


def keep_previous(connection: Connection, video_id: str, tables: Iterable[str]) -> None:
    """Copy the video's rows of these tables, if they are in KEPT; part of the transaction that replaces them."""
    for table in sorted(set(tables) & set(KEPT)):
        now, before = sql.Identifier(table), sql.Identifier("previous", table)
        connection.execute(sql.SQL("DELETE FROM {} WHERE video_id = %s").format(before), [video_id])
        connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE video_id = %s").format(before, now), [video_id])
