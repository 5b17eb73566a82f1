"""Parquet: writes recordings as tables for pandas, DuckDB and Polars: videos, words, turns and passages, one file each.

Words, turns and passages have `video_id` and four columns that say who speaks, as in the JSON export. Rows are written in
groups of at least `GROUP_ROWS`, so that memory does not grow with the number of videos. earshot/library adds the timings.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from earshot.common.atomic_files import atomic_bytes
from earshot.transcripts.formats.exports import document
from earshot.transcripts.formats.speaker_passages import link_to
from earshot.transcripts.recordings import Recording

GROUP_ROWS = 50_000

_TIMES = [("start_s", pa.float64()), ("end_s", pa.float64())]
_WHO = [("local_speaker", pa.string()), ("speaker", pa.string()), ("person", pa.string()), ("voice", pa.int64())]
_INSTANT = pa.timestamp("us", tz="UTC")

VIDEOS = pa.schema([
    ("video_id", pa.string()), ("title", pa.string()), ("url", pa.string()), ("source", pa.string()),
    ("published_at", _INSTANT), ("duration_s", pa.float64()), ("language", pa.string()),
])  # fmt: skip
WORDS = pa.schema([("video_id", pa.string()), *_TIMES, ("text", pa.string()), ("probability", pa.float64()), *_WHO])
TURNS = pa.schema([("video_id", pa.string()), *_TIMES, ("overlap", pa.bool_()), *_WHO])
PASSAGES = pa.schema([("video_id", pa.string()), *_TIMES, ("text", pa.string()), *_WHO, ("link", pa.string())])

# Types of Postgres as those of Arrow; other columns are not exported.
_ARROW_TYPES = {
    "text": pa.string(),
    "double precision": pa.float64(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp with time zone": _INSTANT,
}

Row = Mapping[str, Any]


class TableFile:
    """A Parquet file that rows are added to; they are kept in memory until they make a group."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema, self._rows = schema, list[Row]()
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")

    def add(self, rows: Iterable[Row]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
            self._rows.clear()


@contextmanager
def table_file(path: Path, schema: pa.Schema) -> Iterator[TableFile]:
    """Write a table that replaces `path` when the block ends; an error leaves no trace."""
    with atomic_bytes(path) as file:
        table = TableFile(file, schema)
        yield table
        table.close()


def schema_of(columns: Iterable[tuple[str, str]]) -> pa.Schema:
    """The schema of a table of Postgres, from the names and types of its columns."""
    return pa.schema([(name, _ARROW_TYPES[kind]) for name, kind in columns if kind in _ARROW_TYPES])


def write_recordings(recordings: Iterable[Recording], folder: Path) -> list[str]:
    """Write the four tables into the folder; returns the keys of the videos."""
    keys = []
    with (
        table_file(folder / "videos.parquet", VIDEOS) as videos,
        table_file(folder / "words.parquet", WORDS) as words,
        table_file(folder / "turns.parquet", TURNS) as turns,
        table_file(folder / "passages.parquet", PASSAGES) as passages,
    ):
        for recording in recordings:
            video, exported = recording.video, document(recording)
            key = {"video_id": video.video_id}
            videos.add([{**exported, "published_at": video.published_at}])
            words.add(row | key for row in exported["words"])
            turns.add(row | key for row in exported["turns"])
            passages.add(row | key | {"link": link_to(video, row["start_s"])} for row in exported["passages"])
            keys.append(video.video_id)
    return keys
