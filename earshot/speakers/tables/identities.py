"""Identities: who each local speaker is according to the last identification. Tables `identities`, `voices`, `former_voices`
and `segment_overrides`; reads `local_speakers`.

`read_speakers()` returns the centroids of the whole library as one matrix. It leaves out centroids of other voice spaces; their
speakers have an obstacle that names the model and what to do. `write_identities()` writes only the rows that differ. The id of
an anonymous voice is never reused. An id that a speaker loses is stored (`former_numbers()`) and restored when the speaker is
anonymous again.

Only the asset `people` writes these tables (earshot/speakers/people/identify.py), in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
from psycopg import sql
from psycopg.rows import tuple_row

from earshot.speakers.tables.voice_space import VoiceSpace
from earshot.speakers.voices.assignment import DecidedBy
from earshot.speakers.voices.speakers import Key, Speakers
from earshot.storage.database import Connection, Database

# video_id, start_s, end_s, person_id: the person speaks then, whatever the local speaker's identity.
SegmentOverride = tuple[str, float, float, int]

NO_VECTOR = "no vector: none of its turns has one"
TWO_VOICES = "ambiguous: two voices are heard in it"
OTHER_MODEL = "other model"


@dataclass(frozen=True)
class Identity:
    """Who one local speaker is: the columns of `identities` without its key, in order."""

    person_id: int | None
    voice_id: int | None
    decided_by: DecidedBy
    reason: str
    score: float | None
    margin: float | None
    model: str
    model_revision: str
    preparation: str
    component: int | None
    made_at: datetime


FIELDS = tuple(field.name for field in fields(Identity))
COLUMNS = ("video_id", "local_speaker", *FIELDS)


def read_speakers(database: Database, space: VoiceSpace) -> Speakers:
    """The local speakers of all videos, with the vectors that are in this voice space."""
    rows = _tuples(
        database,
        "SELECT video_id, local_speaker, clear_s, l.made_at, published_at, two_voices, model, model_revision, preparation, "
        "vector_send(centroid) FROM local_speakers l JOIN videos USING (video_id)",
    )
    rows.sort(key=lambda row: row[:2])
    obstacles = [_obstacle(row, space) for row in rows]
    vectors = np.zeros((len(rows), space.dimension), dtype=np.float32)
    comparable = [index for index, obstacle in enumerate(obstacles) if not obstacle]
    vectors[comparable] = _matrix([rows[index][-1] for index in comparable], space.dimension)
    undated = datetime.max.replace(tzinfo=UTC)
    rank = np.empty(len(rows), dtype=np.int64)
    rank[sorted(range(len(rows)), key=lambda index: rows[index][4] or undated)] = np.arange(len(rows))  # stable: ties by key
    return Speakers(
        keys=[row[:2] for row in rows],
        vectors=vectors,
        obstacles=obstacles,
        clear_s=np.array([row[2] for row in rows], dtype=np.float64),
        rank=rank,
        made_at=[row[3] for row in rows],
    )


def read_identities(database: Database) -> dict[Key, Identity]:
    """The stored identities by local speaker, also of speakers that no longer exist."""
    statement = sql.SQL("SELECT {} FROM identities").format(sql.SQL(", ").join(map(sql.Identifier, COLUMNS)))
    return {row[:2]: Identity(*[*row[2:4], DecidedBy(row[4]), *row[5:]]) for row in _tuples(database, statement)}


def create_voices(connection: Connection, count: int) -> list[int]:
    """New voice ids, rising, that no voice has had before. Part of the caller's transaction."""
    rows = connection.execute(
        "INSERT INTO voices OVERRIDING SYSTEM VALUE "
        "SELECT nextval(pg_get_serial_sequence('voices', 'voice_id')) FROM generate_series(1, %s) RETURNING voice_id",
        [count],
    )
    return sorted(row["voice_id"] for row in rows)


def write_identities(connection: Connection, before: Mapping[Key, Identity], after: Mapping[Key, Identity]) -> int:
    """Change the table from `before` to `after`; returns the number of rows that differ. Part of the caller's transaction.

    Speakers of a video that has been deleted meanwhile are left out.
    """
    outdated = [key for key, identity in before.items() if after.get(key) != identity]
    new = {key: identity for key, identity in after.items() if before.get(key) != identity}
    if outdated:
        connection.execute(
            "DELETE FROM identities i USING unnest(%s::text[], %s::text[]) AS outdated (video_id, local_speaker) "
            "WHERE i.video_id = outdated.video_id AND i.local_speaker = outdated.local_speaker",
            [[key[0] for key in outdated], [key[1] for key in outdated]],
        )
    if new:
        _insert(connection, new)
    return len(new.keys() | set(outdated))


def former_numbers(database: Database, correction_id: int | None = None) -> dict[Key, int]:
    """The last voice id of each speaker who lost one; with `correction_id`, only of those who lost it by that correction."""
    rows = database.query(
        "SELECT DISTINCT ON (video_id, local_speaker) video_id, local_speaker, voice_id FROM former_voices "
        "JOIN local_speakers USING (video_id, local_speaker, made_at) "
        "WHERE %(correction)s::bigint IS NULL OR correction_id = %(correction)s "
        "ORDER BY video_id, local_speaker, former_id DESC",
        {"correction": correction_id},
    )
    return {(row["video_id"], row["local_speaker"]): row["voice_id"] for row in rows}


def write_former(
    connection: Connection, before: Mapping[Key, Identity], after: Mapping[Key, Identity], correction_id: int | None
) -> None:
    """Store the voice ids that speakers lose, and the correction that caused it. Part of the caller's transaction."""
    lost = [
        (*key, old.made_at, old.voice_id, correction_id)
        for key, old in before.items()
        if old.voice_id is not None and key in after and after[key].voice_id != old.voice_id
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO former_voices (video_id, local_speaker, made_at, voice_id, correction_id) "
            "SELECT video_id, %s, %s, %s, %s FROM videos WHERE video_id = %s",
            [(*row[1:], row[0]) for row in lost],
        )


def write_segment_overrides(connection: Connection, overrides: Sequence[SegmentOverride]) -> None:
    """Replace all overrides with these, except those of videos or people deleted meanwhile.

    There are few: only corrections of less than a whole speaker make any.
    """
    connection.execute("DELETE FROM segment_overrides")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO segment_overrides (video_id, start_s, end_s, person_id) "
            "SELECT video_id, %s, %s, person_id FROM videos, people WHERE video_id = %s AND person_id = %s",
            [(start, end, video_id, person_id) for video_id, start, end, person_id in overrides],
        )


def _insert(connection: Connection, new: Mapping[Key, Identity]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    connection.execute("CREATE TEMPORARY TABLE incoming (LIKE identities) ON COMMIT DROP")
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY incoming ({}) FROM STDIN").format(names)) as copy:
        for key, identity in new.items():
            copy.write_row((*key, *(getattr(identity, name) for name in FIELDS)))
    connection.execute(
        sql.SQL("INSERT INTO identities ({}) SELECT {} FROM incoming JOIN videos USING (video_id)").format(
            names, sql.SQL(", ").join(sql.Identifier("incoming", column) for column in COLUMNS)
        )
    )


def _tuples(database: Database, statement: str | sql.Composed) -> list[tuple[Any, ...]]:
    """Rows as tuples, in binary format: for a whole library, dictionaries would take as long as everything else together."""
    with database.connect() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        return cursor.execute(statement).fetchall()  # pyright: ignore[reportCallIssue, reportArgumentType]


def _obstacle(row: tuple[Any, ...], space: VoiceSpace) -> str:
    """Why this row's centroid cannot be compared in this space; "" if it can."""
    *_, two_voices, model, revision, preparation, centroid = row
    if {"model": model, "model_revision": revision, "preparation": preparation} != space.columns:
        return (
            f"{OTHER_MODEL}: its vector is from {model} {revision} ({preparation or 'an older preparation'}) and cannot be "
            f"compared with vectors of {space.model} {space.model_revision} ({space.preparation}); "
            "run `earshot ingest` for its video again, or backfill voice_embeddings in the UI"
        )
    if centroid is None:
        return NO_VECTOR
    dimension = (len(centroid) - 4) // 4
    if dimension != space.dimension:
        return f"no vector: it has {dimension} values instead of {space.dimension}"
    return TWO_VOICES if two_voices else ""


def _matrix(centroids: Sequence[bytes], dimension: int) -> np.ndarray:
    """Vectors from pgvector's binary format, big-endian: the dimension and an unused number (16 bits each), then floats."""
    flat = np.frombuffer(b"".join(centroids), dtype=">f4").reshape(len(centroids), dimension + 1)
    return flat[:, 1:].astype(np.float32)
