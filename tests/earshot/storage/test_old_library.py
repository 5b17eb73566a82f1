"""A library made by earlier code opens, migrates, and is not stale. tests/fixtures/README.md says how it was made."""

import gzip
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from earshot.config.settings import PROJECT_ROOT
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database, migrate
from earshot.transcripts.recordings import read_recording
from ingest_assets.stages.staleness import find_stale

DUMP = PROJECT_ROOT / "tests" / "fixtures" / "library-9df3fc5.sql.gz"
TELEPHONE = "file-c319b4abca767b12"


@pytest.fixture(scope="module")
def old(library: Database) -> Iterator[Database]:
    """The library of that commit, in its own database, migrated."""
    name = "old_library"
    url = make_conninfo(library.url, dbname=name)
    with psycopg.connect(library.url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        lines = gzip.decompress(DUMP.read_bytes()).decode().splitlines()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("\n".join(line for line in lines if not line.startswith("\\")).encode())
        assert migrate(url)
        yield Database(url)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_old_library_is_not_stale(old: Database) -> None:
    assert [video.state for video in list_videos(old)] == ["ready", "ready"]
    assert find_stale(old) == []


def test_old_timings_have_no_parts_of_waiting(old: Database) -> None:
    rows = old.query("SELECT io_s, store_s, database_s, network_s FROM asset_timings")
    assert rows
    assert all(row["io_s"] >= 0 and {row["store_s"], row["database_s"], row["network_s"]} == {None} for row in rows)


def test_old_passages_have_signs(old: Database) -> None:
    [row] = old.query(
        "SELECT (SELECT count(*) FROM passages) AS passages, (SELECT sum(cardinality(signs)) FROM passage_signs) AS signed"
    )
    assert row["passages"] == row["signed"] > 0


def test_old_library_keeps_its_names(old: Database) -> None:
    recording = read_recording(old, TELEPHONE)
    assert "Nell" in {speaker.person for speaker in recording.names.by_label.values()}
    assert recording.words.text.str.len().sum() > 100
