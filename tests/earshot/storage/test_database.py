"""Rows are replaced whole or not at all, and migrations are applied once, in a real Postgres."""

import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from pgvector import Vector
from psycopg import sql
from psycopg.conninfo import make_conninfo

from earshot.common.errors import DatabaseUnusable
from earshot.models.registry import Model
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import MIGRATIONS, Database, migrate
from earshot.transcripts.search.text_models import register_text_model

KNOWN = Video("v1", "/a.mp3", "/", "A")
OTHER = Video("v2", "/b.mp3", "/", "B")


@pytest.fixture
def videos(database: Database) -> Database:
    """The database with two videos in it, and a text model."""
    register(database, [KNOWN, OTHER])
    register_text_model(database, Model("m", "r", "MIT", 0, dimension=2))
    return database


@pytest.fixture
def fresh(library: Database) -> Iterator[str]:
    """The URL of a database of its own, without any table."""
    name = f"fresh_{uuid.uuid4().hex}"
    with psycopg.connect(library.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(library.url, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def turns(*rows: tuple[float, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["start_s", "end_s", "local_speaker"])
    return frame.assign(turn_index=range(len(rows)))


def passages(*changes: dict[str, Any]) -> pd.DataFrame:
    """One passage for each, with these changes."""
    row = {
        "passage_index": 0, "start_s": 0.0, "end_s": 1.0, "local_speaker": "A", "first_word": 0, "last_word": 1,
        "text": "Good day.", "model": "m", "model_revision": "r", "embedding": np.array([0.5, -1.0], dtype=np.float32),
    }  # fmt: skip
    return pd.DataFrame([row | {"passage_index": index} | change for index, change in enumerate(changes)])


def spans(database: Database, video_id: str = "v1") -> list[list[Any]]:
    return database.frame("exclusive_turns", video_id, "turn_index")[["start_s", "end_s", "local_speaker"]].to_numpy().tolist()


def applied(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT version FROM schema_migrations ORDER BY version")]


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def write_migrations(folder: Path, *statements: str) -> Path:
    for number, statement in enumerate(statements, start=1):
        (folder / f"{number:04d}_step.sql").write_text(statement)
    return folder


# --- rows ----------------------------------------------------------------------------------------------------------------


def test_replace_removes_earlier_rows(videos: Database) -> None:
    videos.replace("v1", {"exclusive_turns": turns((0.0, 1.0, "A"), (1.0, 2.0, "B"), (2.0, 3.0, "A"))})
    videos.replace("v1", {"exclusive_turns": turns((0.5, 1.5, "C"))})
    assert spans(videos) == [[0.5, 1.5, "C"]]


def test_replace_by_nothing_removes_all_rows(videos: Database) -> None:
    videos.replace("v1", {"exclusive_turns": turns((0.0, 1.0, "A"))})
    videos.replace("v1", {"exclusive_turns": turns()})
    assert spans(videos) == []


def test_replace_keeps_rows_of_other_videos(videos: Database) -> None:
    videos.replace("v2", {"exclusive_turns": turns((0.0, 1.0, "A"))})
    videos.replace("v1", {"exclusive_turns": turns((5.0, 6.0, "B"))})
    assert spans(videos, "v2") == [[0.0, 1.0, "A"]]


def test_failed_replace_keeps_all_tables(videos: Database) -> None:
    videos.replace("v1", {"exclusive_turns": turns((0.0, 1.0, "A")), "passages": passages({})})
    with pytest.raises(psycopg.errors.CheckViolation):
        videos.replace("v1", {"exclusive_turns": turns((7.0, 8.0, "B")), "passages": passages({"end_s": 0.0})})
    assert spans(videos) == [[0.0, 1.0, "A"]]
    assert videos.frame("passages", "v1", "passage_index").end_s.tolist() == [1.0]


def test_rows_of_unknown_video_are_refused(database: Database) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        database.replace("unknown", {"exclusive_turns": turns((0.0, 1.0, "A"))})


def test_numpy_values_are_stored_exactly(videos: Database) -> None:
    written = pd.DataFrame(
        {
            "turn_index": np.array([0, 1], dtype=np.int64),
            "start_s": np.array([0.1, 2.0], dtype=np.float32),
            "end_s": np.array([1 / 3, 3.0], dtype=np.float64),
            "local_speaker": np.array(["A", "naïve 🎙"], dtype=object),
            "overlap": np.array([True, False], dtype=np.bool_),
        }
    )
    videos.replace("v1", {"turns": written})
    read = videos.frame("turns", "v1", "turn_index")
    assert read.turn_index.tolist() == [0, 1]
    assert read.start_s.tolist() == written.start_s.tolist()
    assert read.end_s.tolist() == [1 / 3, 3.0]
    assert read.local_speaker.tolist() == ["A", "naïve 🎙"]
    assert read.overlap.tolist() == [True, False]


def test_numpy_values_in_object_columns_are_stored(videos: Database) -> None:
    written = turns((0.0, 1.0, "A")).astype(object)
    written.loc[0, "turn_index"] = np.int64(4)
    written.loc[0, "end_s"] = np.float32(1.5)
    videos.replace("v1", {"exclusive_turns": written})
    read = videos.frame("exclusive_turns", "v1", "turn_index")
    assert (read.turn_index.tolist(), read.end_s.tolist()) == ([4], [1.5])


@pytest.mark.parametrize("dimension", [2, 192, 1024])
def test_vectors_are_stored_exactly(videos: Database, dimension: int) -> None:
    vector = np.random.default_rng(0).normal(size=dimension).astype(np.float32)
    videos.replace("v1", {"passages": passages({"embedding": vector})})
    (read,) = videos.frame("passages", "v1", "passage_index").embedding
    assert np.array_equal(read.to_numpy() if isinstance(read, Vector) else read, vector)


def test_none_is_stored_as_null_and_read_as_none(videos: Database) -> None:
    videos.replace("v1", {"passages": passages({}, {"local_speaker": None})})
    rows = videos.query("SELECT local_speaker FROM passages ORDER BY passage_index")
    assert [row["local_speaker"] for row in rows] == ["A", None]
    assert videos.frame("passages", "v1", "passage_index").local_speaker.tolist() == ["A", None]


def test_frame_is_ordered(videos: Database) -> None:
    videos.replace("v1", {"exclusive_turns": turns((0.0, 1.0, "A"), (1.0, 2.0, "B")).iloc[::-1]})
    assert videos.frame("exclusive_turns", "v1", "turn_index").turn_index.tolist() == [0, 1]


def test_empty_frame_has_columns(videos: Database) -> None:
    frame = videos.frame("exclusive_turns", "v1", "turn_index")
    assert frame.empty
    assert frame.columns.tolist() == ["video_id", "turn_index", "start_s", "end_s", "local_speaker"]


def test_failed_transaction_is_rolled_back(videos: Database) -> None:
    def delete_and_fail() -> None:
        with videos.connect() as connection:
            assert connection.execute("DELETE FROM videos").rowcount == 2
            connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        delete_and_fail()
    assert videos.query("SELECT count(*) AS n FROM videos") == [{"n": 2}]


def test_snapshot_ignores_later_writes(videos: Database) -> None:
    videos.replace("v1", {"exclusive_turns": turns((0.0, 1.0, "A"))})
    with videos.snapshot() as before:
        assert spans(before) == [[0.0, 1.0, "A"]]
        videos.replace("v1", {"exclusive_turns": turns((2.0, 3.0, "B"))})
        assert spans(before) == [[0.0, 1.0, "A"]]
        assert before.query("SELECT local_speaker FROM exclusive_turns") == [{"local_speaker": "A"}]
    assert spans(videos) == [[2.0, 3.0, "B"]]


def test_snapshot_works_on_a_new_connection(videos: Database) -> None:
    with Database(videos.url).snapshot() as before:
        assert before.query("SELECT video_id FROM videos ORDER BY video_id LIMIT 1") == [{"video_id": "v1"}]
        videos.query("DELETE FROM videos")
        assert before.query("SELECT count(*) AS n FROM videos WHERE video_id = 'v1'") == [{"n": 1}]


def test_snapshot_is_read_only(videos: Database) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), videos.snapshot() as before:
        before.query("DELETE FROM videos")
    assert videos.query("SELECT count(*) > 0 AS there FROM videos") == [{"there": True}]


def test_query_without_result_returns_no_rows(videos: Database) -> None:
    assert videos.query("UPDATE videos SET title = 'new' WHERE video_id = %s", ["v1"]) == []
    assert videos.query("SELECT title FROM videos WHERE video_id = %s", ["v1"]) == [{"title": "new"}]


def test_unreachable_server_is_an_error(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql:///earshot?host={tmp_path}")
    with pytest.raises(DatabaseUnusable, match="does not answer"):
        nowhere.query("SELECT 1")


# --- migrations ----------------------------------------------------------------------------------------------------------


def test_schema_is_applied_once(fresh: str) -> None:
    files = sorted(file.name for file in MIGRATIONS.glob("[0-9]*.sql"))
    assert migrate(fresh) == files
    assert migrate(fresh) == []
    assert {"videos", "words", "passages", "asset_timings"} < tables(fresh)


def test_missing_migrations_are_applied_in_order(fresh: str, tmp_path: Path) -> None:
    migrate(fresh, write_migrations(tmp_path, "CREATE TABLE a (n integer)"))
    write_migrations(tmp_path, "CREATE TABLE a (n integer)", "ALTER TABLE a RENAME TO b", "ALTER TABLE b RENAME TO c")
    assert migrate(fresh, tmp_path) == ["0002_step.sql", "0003_step.sql"]
    assert tables(fresh) == {"c", "schema_migrations"}


def test_concurrent_migrations_apply_once(fresh: str) -> None:
    results: list[list[str]] = []
    start = threading.Barrier(4)

    def apply() -> None:
        start.wait()
        results.append(migrate(fresh))

    threads = [threading.Thread(target=apply) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert [names for names in results if names] == [sorted(file.name for file in MIGRATIONS.glob("[0-9]*.sql"))]


def test_database_newer_than_the_code_is_refused(fresh: str, tmp_path: Path) -> None:
    migrate(fresh, write_migrations(tmp_path, "CREATE TABLE a (n integer)"))
    with psycopg.connect(fresh) as connection:
        connection.execute("INSERT INTO schema_migrations (version, name) VALUES (9999, 'newer')")
    write_migrations(tmp_path, "CREATE TABLE a (n integer)", "CREATE TABLE b (n integer)")
    with pytest.raises(DatabaseUnusable, match="9999"):
        migrate(fresh, tmp_path)
    assert applied(fresh) == [1, 9999]
    assert "b" not in tables(fresh)


def before_migration(url: str, folder: Path, name: str) -> tuple[Database, Callable[[], list[str]]]:
    """A database before this migration, and a function that applies it."""
    for file in sorted(MIGRATIONS.glob("[0-9]*.sql")):
        if file.name < name:
            shutil.copy(file, folder)
    migrate(url, folder)

    def apply() -> list[str]:
        shutil.copy(MIGRATIONS / name, folder)
        return migrate(url, folder)

    return Database(url), apply


@pytest.mark.parametrize(
    ("media", "uris", "names"),
    [
        ("/a/media", ["/a/media/v1.flac", "/a/media2/v2.flac"], ["v1.flac", "/a/media2/v2.flac"]),
        ("s3://bucket/audio/", ["s3://bucket/audio/v1.flac", "/a/media/v2.flac"], ["v1.flac", "/a/media/v2.flac"]),
        ("/a/m%_dia", ["/a/m%_dia/v1.flac", "/a/mXXdia/v2.flac"], ["v1.flac", "/a/mXXdia/v2.flac"]),
    ],
)
def test_audio_under_media_folder_is_named_relative_to_it(
    fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, media: str, uris: list[str], names: list[str]
) -> None:
    monkeypatch.setenv("EARSHOT_MEDIA", media)
    old, apply = before_migration(fresh, tmp_path, "0009_audio_names.sql")
    register(old, [KNOWN, OTHER])
    for video, uri in zip((KNOWN, OTHER), uris, strict=True):
        old.query("INSERT INTO audio VALUES (%s, %s, 'sha', 1, 16000, 1.0, 'file')", [video.video_id, uri])
    assert apply() == ["0009_audio_names.sql"]
    assert [row["uri"] for row in old.query("SELECT uri FROM audio ORDER BY video_id")] == names


def test_segment_overrides_keep_rows_old_name_and_search(fresh: str, tmp_path: Path) -> None:
    old, apply = before_migration(fresh, tmp_path, "0011_segment_overrides.sql")
    register(old, [KNOWN])
    [person] = old.query("INSERT INTO people (name, notes, listed) VALUES ('Ana', '', false) RETURNING person_id")
    row = {"video_id": KNOWN.video_id, "start_s": 1.0, "end_s": 2.0, "person_id": person["person_id"]}
    old.query("INSERT INTO corrected_moments VALUES (%(video_id)s, %(start_s)s, %(end_s)s, %(person_id)s)", row)
    old.query("INSERT INTO text_models VALUES ('m', '1', 2, now())")
    old.query("INSERT INTO words VALUES (%s, 0, 0, 1.2, 1.6, ' Bridge', 0.9)", [KNOWN.video_id])
    old.query("INSERT INTO transcripts VALUES (%s, 'en', 1, 'm', '1')", [KNOWN.video_id])
    old.query(
        "INSERT INTO passages (video_id, passage_index, start_s, end_s, first_word, last_word, text, model, model_revision, "
        "embedding, language) VALUES (%s, 0, 0, 3, 0, 0, 'A bridge', 'm', '1', '[1, 0]', 'en')",
        [KNOWN.video_id],
    )
    [before] = old.query("SELECT * FROM search_passages('bridge', '[1, 0]')")
    assert apply() == ["0011_segment_overrides.sql"]
    assert old.query("SELECT * FROM segment_overrides") == old.query("SELECT * FROM corrected_moments") == [row]
    [after] = old.query("SELECT * FROM search_passages('bridge', '[1, 0]', person => %s)", [person["person_id"]])
    assert after["speakers"] == ["Ana"]
    assert {"said" if name == "text" else name: value for name, value in after.items()} == before
    functions = old.query("SELECT prosrc FROM pg_proc WHERE proname IN ('search_passages', 'passage_speakers')")
    assert all("segment_overrides" in row["prosrc"] and "corrected" + "_moments" not in row["prosrc"] for row in functions)


def test_source_videos_keep_rows_and_old_names(fresh: str, tmp_path: Path) -> None:
    old, apply = before_migration(fresh, tmp_path, "0012_source_videos.sql")
    old.query("INSERT INTO sources (source, filled) VALUES ('https://x', true)")
    old.query(
        "INSERT INTO listed (source, video_id, url, title, asks, again, backlog) "
        "VALUES ('https://x', 'v', 'u', 't', 3, true, false)"
    )
    before = old.query("SELECT * FROM listed")
    assert apply() == ["0012_source_videos.sql"]
    assert old.query("SELECT * FROM listed") == before
    assert old.query("SELECT video_id, fetches, retry FROM source_videos") == [{"video_id": "v", "fetches": 3, "retry": True}]
    assert states_of(old, ["https://x"])[0].fully_listed
    old.query("INSERT INTO source_videos (source, video_id, url, title, backlog) VALUES ('https://x', 'w', 'u', 't', true)")
    assert [row["video_id"] for row in old.query("SELECT video_id FROM source_videos ORDER BY position")] == ["v", "w"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("SELECT 1 / 0", "division by zero"),
        ("INSERT INTO schema_migrations (version, name) VALUES (2, 'too early')", "duplicate key"),
    ],
)
def test_broken_migration_is_rolled_back(fresh: str, tmp_path: Path, broken: str, message: str) -> None:
    write_migrations(tmp_path, "CREATE TABLE a (n integer)", f"CREATE TABLE b (n integer); {broken}")
    with pytest.raises(DatabaseUnusable, match=message):
        migrate(fresh, tmp_path)
    assert applied(fresh) == [1]
    assert tables(fresh) == {"a", "schema_migrations"}


def test_corrected_migration_is_applied(fresh: str, tmp_path: Path) -> None:
    write_migrations(tmp_path, "CREATE TABLE a (n integer); SELECT 1 / 0")
    with pytest.raises(DatabaseUnusable):
        migrate(fresh, tmp_path)
    assert migrate(fresh, write_migrations(tmp_path, "CREATE TABLE a (n integer)")) == ["0001_step.sql"]


def test_rows_without_columns_are_rows(database: Database) -> None:
    assert database.query("SELECT FROM generate_series(1, 2)") == [{}, {}]
    assert database.query("SELECT FROM generate_series(1, 0)") == []
    assert database.query("DELETE FROM videos") == []
