"""Parquet tables of a library, read by pandas and by DuckDB."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from earshot import Library, open_library
from earshot.common.errors import EarshotError
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.support.library import run_stages
from tests.support.timing_rows import keep, usual
from tests.support.videos.spoken_videos import add_video, identify

TABLES = ["passages.parquet", "timings.parquet", "turns.parquet", "videos.parquet", "words.parquet"]


@pytest.fixture
def opened(database: Database) -> Library:
    """`bridge`, in which Ana speaks, and `boat`; and a video without a transcript."""
    day = datetime(2026, 3, 1, tzinfo=UTC)
    add_video(
        database, "bridge", ("SPEAKER_00", "who paid for it"), ("SPEAKER_01", "the town"), source="https://x/f", published=day
    )
    add_video(database, "boat", ("SPEAKER_00", "ein Boot"), source="/recordings", language="de")
    register(database, [Video("new", "https://x/new", "https://x/f", "New")])
    identify(database, "bridge", "SPEAKER_00", person_id=add_person(database, "Ana").person_id, decided_by="profile", reason="")
    for video in ("bridge", "new"):
        keep(database, "transcript", usual(rtf=0.25, gpu_util_mean=None), video)
    for video in ("bridge", "boat"):
        run_stages(database, video, *STAGES)
    return open_library()


def test_pandas_reads_what_the_library_returns(opened: Library, tmp_path: Path) -> None:
    summary = opened.export(tmp_path / "tables", "parquet")
    assert (summary.videos, summary.untranscribed) == (2, 1)
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == TABLES
    words = pd.read_parquet(tmp_path / "tables" / "words.parquet")
    expected = opened.transcript("bridge").words
    of_bridge = words[words.video_id == "bridge"].reset_index(drop=True)
    assert of_bridge.text.tolist() == expected.text.tolist()
    assert of_bridge.speaker.tolist() == expected.speaker.tolist()
    assert of_bridge.start_s.tolist() == expected.start_s.tolist()


def test_duckdb_joins_the_tables(opened: Library, tmp_path: Path) -> None:
    opened.export(tmp_path, "parquet")
    connection = duckdb.connect()
    for table in TABLES:
        connection.from_parquet(str(tmp_path / table)).create_view(table.removesuffix(".parquet"))
    rows = connection.execute("""
        SELECT v.title, p.person, p.text, p.link, v.published_at::date::text, t.rtf, t.gpu_util_mean
        FROM passages p JOIN videos v USING (video_id)
            LEFT JOIN (FROM timings WHERE rtf = 0.25) t USING (video_id)
        WHERE p.person = 'Ana' OR v.language = 'de' ORDER BY v.title DESC
    """).fetchall()
    assert [row[:4] for row in rows] == [
        ("Bridge", "Ana", "who paid for it", "https://x/bridge#t=0"),
        ("Boat", None, "ein Boot", "https://x/boat#t=0"),
    ]
    assert rows[0][4:] == ("2026-03-01", 0.25, None)
    assert rows[1][5:] == (None, None)


def test_tables_have_only_the_selected_videos(opened: Library, tmp_path: Path) -> None:
    opened.export(tmp_path, "parquet", videos="boat")
    for table in TABLES:
        assert set(pd.read_parquet(tmp_path / table).video_id) <= {"boat"}


def test_tables_of_one_speaker_have_only_their_words(opened: Library, tmp_path: Path) -> None:
    opened.export(tmp_path, "parquet", speaker="Ana")
    assert set(pd.read_parquet(tmp_path / "words.parquet").person) == {"Ana"}


def test_many_groups_of_rows_make_one_table(opened: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.transcripts.formats.parquet.GROUP_ROWS", 1)
    opened.export(tmp_path, "parquet")
    assert len(pd.read_parquet(tmp_path / "words.parquet")) == 8


def test_refused_speaker_writes_no_table(opened: Library, tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="Bo"):
        opened.export(tmp_path / "tables", "parquet", speaker="Bo")
    assert not (tmp_path / "tables").exists()


def test_tables_need_a_folder(opened: Library, tmp_path: Path) -> None:
    with pytest.raises(EarshotError, match="parquet writes one file per table"):
        opened.export_file(tmp_path / "all.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []
