"""Backups: consistent while others write, incremental, verified, and restored into an empty library or not at all."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner
from dagster import DagsterInstance

from earshot import Library
from earshot.cli.commands import cli
from earshot.common.errors import DatabaseUnusable, EarshotError
from earshot.library.backup.manifest import newest_schema
from earshot.storage.database import Database, open_database
from earshot.storage.media_store import MediaStore, samples_sha256
from earshot.storage.postgres import dumps
from earshot.storage.server import stop_embedded
from ingest_assets.partitions import videos
from ingest_assets.stages.staleness import find_stale
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance
from tests.earshot.storage.test_locks import held_by_another
from tests.support.library import fill, run_stage
from tests.support.tables import dump_tables

KEYS = ("boats", "bridge", "tides")


def sound(number: int) -> np.ndarray:
    """Two seconds of samples, different for each number."""
    return np.random.default_rng(number).integers(-500, 500, 32_000, dtype=np.int16)


def store_audio(database: Database, key: str, number: int) -> None:
    samples = sound(number)
    uri = MediaStore().write(key, samples)
    database.query("DELETE FROM audio WHERE video_id = %s", [key])
    database.query("INSERT INTO audio VALUES (%s, %s, %s, 32000, 16000, 2.0, 'file')", [key, uri, samples_sha256(samples)])


def finish(database: Database, key: str) -> None:
    """As if every stage of this video had run with today's code."""
    for stage, version in expected_versions().items():
        run_stage(database, key, stage, version, f"{stage} of {key}")


@pytest.fixture
def filled(instance: DagsterInstance, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Three videos with audio, current, in a library with one source; its audio and files are this test's own."""
    monkeypatch.setenv("EARSHOT_MEDIA", str(tmp_path / "media"))
    for name in ("sources", "people"):
        (tmp_path / f"{name}.yaml").write_text(f"{name}:\n")
        monkeypatch.setenv(f"EARSHOT_{name.upper()}", str(tmp_path / f"{name}.yaml"))
    (tmp_path / "sources.yaml").write_text("sources:\n  - feed: https://x\n")
    (tmp_path / "earshot.toml").write_text('device = "cpu"\npage_token = "a long secret"\n')
    monkeypatch.setenv("EARSHOT_SETTINGS", str(tmp_path / "earshot.toml"))
    fill(database, KEYS, [" who", " paid"])
    instance.add_dynamic_partitions(str(videos.name), list(KEYS))
    for number, key in enumerate(KEYS):
        store_audio(database, key, number)
        finish(database, key)
    database.query("UPDATE videos SET state = 'ready'")
    return Library()


@pytest.fixture
def elsewhere(filled: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """For `move_to_server()`, whose databases are dropped afterwards."""
    url = filled.database.url
    yield monkeypatch
    monkeypatch.undo()
    with psycopg.connect(url, autocommit=True) as server:
        for name in ("restored", "restored_dagster"):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def move_to_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """Settings of a second library: another home, another database on this server."""
    (tmp_path / "second").mkdir()
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path / "second"))
    monkeypatch.setenv("EARSHOT_MEDIA", str(tmp_path / "second" / "media"))
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "second" / "sources.yaml"))
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "second" / "people.yaml"))
    monkeypatch.setenv("EARSHOT_DATABASE_URL", url.replace("/earshot?", "/restored?"))


def manifest_of(target: Path) -> dict[str, object]:
    return json.loads((target / "manifest.json").read_text())


def test_backup_of_a_backfill_is_restored_as_of_its_moment(
    filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Stages go on writing while the databases are dumped: nothing of that is in the backup."""
    database = filled.database
    database.query("DELETE FROM stage_outputs WHERE video_id = 'tides' AND asset = 'text_embeddings'")
    before, stale = dump_tables(database), [asdict(stage) for stage in find_stale(database)]
    assert [(stage["video_id"], stage["stage"]) for stage in stale] == [("tides", "text_embeddings")]

    def write_on(step: str) -> None:
        if step.startswith("database"):
            finish(database, "tides")
            database.query("UPDATE words SET text = text || '!'")

    done = filled.backup(str(tmp_path / "backup"), write_on)
    assert filled.metrics().last_backup == datetime.fromisoformat(done.made_at)
    assert find_stale(database) == []
    move_to_server(elsewhere, tmp_path, database.url)
    restoration = Library().restore(str(tmp_path / "backup"))
    assert (restoration.videos, restoration.audio) == (3, 3)
    restored = open_database()
    after = dump_tables(restored)
    assert {table: sorted(rows.splitlines()) for table, rows in after.items()} == {
        table: sorted(rows.splitlines()) for table, rows in before.items()
    }
    assert [asdict(stage) for stage in find_stale(restored)] == stale
    assert sorted(open_instance().get_dynamic_partitions(str(videos.name))) == sorted(KEYS)
    assert np.array_equal(MediaStore().read("boats.flac"), sound(0))
    assert (tmp_path / "second" / "sources.yaml").read_text() == (tmp_path / "sources.yaml").read_text()
    settings = (tmp_path / "second" / "restored" / "earshot.toml").read_text()
    assert 'device = "cpu"' in settings
    assert "a long secret" not in settings


@pytest.mark.slow
def test_server_moves_into_an_embedded_one_and_back(filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = dump_tables(filled.database)
    filled.backup(str(tmp_path / "first"))
    home = Path(tempfile.mkdtemp(prefix="earshot-"))
    try:
        elsewhere.setenv("EARSHOT_HOME", str(home))
        elsewhere.setenv("EARSHOT_MEDIA", str(home / "media"))
        Library().restore(str(tmp_path / "first"))
        Library().backup(str(tmp_path / "second-backup"))
        stop_embedded(home)
        (home / "postgres").rename(home / "postgres.old")
        with pytest.raises(DatabaseUnusable, match="or run `earshot restore`"):
            open_database()
        Library().restore(str(tmp_path / "second-backup"))
    finally:
        stop_embedded(home)
        shutil.rmtree(home)
    move_to_server(elsewhere, tmp_path, filled.database.url)
    Library().restore(str(tmp_path / "second-backup"))
    assert dump_tables(open_database()) == before


def test_second_backup_copies_only_new_audio(filled: Library, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    assert filled.backup(str(target)).copied == 3
    kept = {path.name: path.stat().st_mtime_ns for path in (target / "audio").iterdir()}
    store_audio(filled.database, "boats", 7)
    done = filled.backup(str(target))
    assert (done.audio, done.copied) == (3, 1)
    now = {path.name: path.stat().st_mtime_ns for path in (target / "audio").iterdir()}
    assert len(now.keys() - kept.keys()) == len(kept.keys() - now.keys()) == 1  # the old content is gone
    assert all(now[name] == kept[name] for name in now.keys() & kept.keys())
    folders = [path for path in target.iterdir() if path.is_dir()]
    assert len(folders) == 2  # audio and the parts of this backup
    assert {oct(folder.stat().st_mode & 0o077) for folder in folders} == {"0o0"}


def test_interrupted_backup_leaves_the_former_one(filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    before = dump_tables(filled.database)
    filled.backup(str(target))
    store_audio(filled.database, "boats", 7)

    def interrupt(step: str) -> None:
        if step.startswith("audio"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled.backup(str(target), interrupt)
    move_to_server(elsewhere, tmp_path, filled.database.url)
    Library().restore(str(target))
    assert dump_tables(open_database()) == before
    assert np.array_equal(MediaStore().read("boats.flac"), sound(0))


def test_audio_that_is_replaced_meanwhile_is_backed_up_with_its_row(filled: Library, tmp_path: Path) -> None:
    """The file is new and its row is not, as in a run that fetches the video again."""
    MediaStore().write("boats", sound(7))
    with held_by_another(filled.database, "video boats"), pytest.raises(EarshotError, match="changed during"):
        filled.backup(str(tmp_path / "backup"))
    assert not (tmp_path / "backup" / "manifest.json").exists()
    store_audio(filled.database, "boats", 7)
    assert filled.backup(str(tmp_path / "backup")).audio == 3


def test_video_whose_file_is_gone_is_backed_up_without(filled: Library, tmp_path: Path) -> None:
    (tmp_path / "media" / "boats.flac").unlink()
    done = filled.backup(str(tmp_path / "backup"))
    assert (done.videos, done.audio, done.without_audio) == (3, 2, ("boats",))


@pytest.mark.parametrize("damaged", ["earshot.dump", "dagster.dump", "audio.jsonl", ".flac"])
def test_damaged_backup_changes_nothing(filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path, damaged: str) -> None:
    target = tmp_path / "backup"
    filled.backup(str(target))
    file = next(path for path in sorted(target.rglob("*")) if path.name.endswith(damaged))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    move_to_server(elsewhere, tmp_path, filled.database.url)
    with pytest.raises(EarshotError, match=f"{damaged}.* is damaged"):
        Library().restore(str(target))
    with psycopg.connect(os.environ["EARSHOT_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert not (tmp_path / "second" / "restore.partial").exists()


def test_library_with_videos_is_not_overwritten(filled: Library, tmp_path: Path) -> None:
    filled.backup(str(tmp_path / "backup"))
    with pytest.raises(EarshotError, match="is not empty"):
        Library().restore(str(tmp_path / "backup"))


def test_unfinished_backup_is_none(filled: Library, tmp_path: Path) -> None:
    filled.backup(str(tmp_path / "backup"))
    (tmp_path / "backup" / "manifest.json").unlink()
    with pytest.raises(EarshotError, match="no finished backup"):
        Library().restore(str(tmp_path / "backup"))


@pytest.mark.parametrize(
    ("newer", "message"),
    [({"schema": newest_schema() + 1}, "schema version"), ({"dagster": "99.0.0"}, "Dagster 99"), ({"format": 99}, "format 99")],
)
def test_newer_backup_is_refused_with_the_remedy(
    filled: Library, tmp_path: Path, newer: dict[str, object], message: str
) -> None:
    target = tmp_path / "backup"
    filled.backup(str(target))
    (target / "manifest.json").write_text(json.dumps({**manifest_of(target), **newer}))
    with pytest.raises(DatabaseUnusable, match=f"{message}.*Update the code"):
        Library().restore(str(target))


def test_folder_with_other_files_is_not_written_to(filled: Library, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(EarshotError, match="other files"):
        filled.backup(str(tmp_path / "photos"))


def test_backup_goes_to_a_url_and_back(filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = dump_tables(filled.database)
    for copied in (3, 0):
        assert filled.backup("memory://backups/earshot").copied == copied
    move_to_server(elsewhere, tmp_path, filled.database.url)
    assert Library().restore("memory://backups/earshot").audio == 3
    after = dump_tables(open_database())
    assert after.pop("backups").startswith(b"memory://backups/earshot\t")  # the first one
    assert after == before


def test_commands_say_what_was_done(filled: Library, elsewhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = str(tmp_path / "backup")
    (tmp_path / "media" / "tides.flac").unlink()
    backed_up = CliRunner().invoke(cli, ["backup", target], catch_exceptions=False)
    assert re.fullmatch(rf"Backed up 3 videos to {target}: \d MB, 2 audio files \(2 new\)\.\n", backed_up.stdout)
    assert "Not in the media store, so without audio: tides." in backed_up.stderr
    move_to_server(elsewhere, tmp_path, filled.database.url)
    restored = CliRunner().invoke(cli, ["restore", target], catch_exceptions=False).stdout.splitlines()
    assert restored[0].startswith("Restored 3 videos and 2 audio files of the backup of 20")
    assert restored[1] == f"Wrote {tmp_path / 'second' / 'sources.yaml'}."


def test_server_newer_than_its_client_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseUnusable, match=r"PostgreSQL 19.*Install the client programs"):
        dumps._pg_dump(19)
