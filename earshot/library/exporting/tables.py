"""Tables: exports words, turns, passages and timings as Parquet files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from earshot.common.atomic_files import make_folder
from earshot.storage.database import Database
from earshot.transcripts.formats.parquet import schema_of, table_file, write_recordings
from earshot.transcripts.recordings import Recording

_COLUMNS = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'asset_timings' ORDER BY ordinal_position
"""
_TIMINGS = "SELECT * FROM asset_timings WHERE video_id = ANY(%(videos)s) ORDER BY timing_id"


def write_tables(database: Database, recordings: Iterable[Recording], folder: Path) -> None:
    """Write videos, words, turns, passages and timings of these recordings into the folder, which is created if missing."""
    make_folder(folder)
    keys = write_recordings(recordings, folder)
    _write_timings(database, keys, folder / "timings.parquet")


def _write_timings(database: Database, videos: Sequence[str], path: Path) -> None:
    schema = schema_of((row["column_name"], row["data_type"]) for row in database.query(_COLUMNS))
    with table_file(path, schema) as timings:
        for row in database.stream(_TIMINGS, {"videos": videos}):
            timings.add([row])
