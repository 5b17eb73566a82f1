"""Removal: nothing is left of a video or a source, nothing brings it back by itself, and a killed removal is finished."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from psycopg import sql

from earshot import Library
from earshot.common.errors import EarshotError, Unknown
from earshot.config.sources_file import Kind, Source, source_named
from earshot.integrations.webhooks.endpoints import EVENTS
from earshot.integrations.webhooks.log import write_endpoints
from earshot.sources import listings
from earshot.sources.listing import list_all
from earshot.sources.listings import StoredDecision
from earshot.storage.catalog.entries import Entry, Listing
from earshot.storage.catalog.removals import BY_USER, left_out_reason, remove_rows
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.storage.locks import PARTITION_TAG, video_lock
from earshot.storage.media_store import MediaStore, location_of
from ingest_assets import graph
from ingest_assets.operations import removal
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from ingest_assets.partitions import videos
from tests.dagster_contract.queued_runs import queue_run
from tests.earshot.storage.test_locks import held_by_another
from tests.support.library import fill, run_stages

SOURCE = Source(Kind.FEED, "https://x", "Harbour Talk")
# What a source lists, what the user removed, and what outlives any purge by design.
LISTS = ("voices", "corrections", "webhook_deliveries")
KEPT = {"source_videos", "excluded_videos", "listed"}


@pytest.fixture
def filled(instance: DagsterInstance, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Videos `bridge` and `boats` of one source, with audio, speakers, a correction and partitions."""
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    (tmp_path / "sources.yaml").write_text("# mine\nsources:\n  - feed: https://x\n    name: Harbour Talk\n")
    keys = ["bridge", "boats"]
    fill(database, keys, [" who", " paid"])
    instance.add_dynamic_partitions(str(videos.name), keys)
    write_endpoints(database, {"notes": EVENTS})
    for key in keys:
        uri = MediaStore().write(key, np.zeros(16_000, dtype=np.int16))
        database.query("INSERT INTO audio VALUES (%s, %s, 'sha', 16000, 16000, 1.0, 'file')", [key, uri])
        run_stages(database, key, "audio", "transcript")
        database.query("INSERT INTO previous.words SELECT * FROM words WHERE video_id = %s", [key])
        database.query(
            "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
            "VALUES (%s, 'audio', 'regression', 'warn', 'unknown', 'slow', 'run')",
            [key],
        )
        database.query(
            "WITH v AS (INSERT INTO voices DEFAULT VALUES RETURNING voice_id) INSERT INTO identities "
            "SELECT %s, 'SPEAKER_00', NULL, voice_id, 'voice', '', 0.5, NULL, 'm', '1', '', 1, now() FROM v",
            [key],
        )
        database.query(
            "WITH c AS (INSERT INTO corrections (kind) VALUES ('same') RETURNING correction_id) "
            "INSERT INTO corrected_spans SELECT correction_id, side, %s, 0, 1 FROM c, (VALUES (0), (1)) s (side)",
            [key],
        )
    return Library()


def tables_with(database: Database, video_id: str) -> set[str]:
    """The tables that have rows of this video."""
    tables = database.query(
        "SELECT table_schema, table_name FROM information_schema.columns "
        "WHERE column_name = 'video_id' AND table_schema IN ('public', 'previous')"
    )
    count = sql.SQL("SELECT count(*) AS rows FROM {} WHERE video_id = %s")
    return {
        row["table_name"]
        for row in tables
        if database.query(count.format(sql.Identifier(row["table_schema"], row["table_name"])), [video_id])[0]["rows"]
    }


def test_nothing_is_left_of_a_removed_video(filled: Library, database: Database, instance: DagsterInstance) -> None:
    assert {"words", "identities", "asset_timings", "check_failures", "corrected_spans", "webhook_events"} <= tables_with(
        database, "bridge"
    )
    removed = filled.remove_video("Bridge")
    assert (removed.what, removed.videos, removed.words, removed.passages, removed.corrections) == ("bridge", 1, 2, 1, 1)
    assert tables_with(database, "bridge") <= KEPT
    assert not location_of("bridge.flac").exists()
    assert instance.get_dynamic_partitions(str(videos.name)) == ["boats"]
    assert [len(database.query(f"SELECT 1 FROM {table}")) for table in LISTS] == [1, 1, 1]  # noqa: S608
    assert {"words", "identities", "asset_timings"} <= tables_with(database, "boats")
    assert location_of("boats.flac").exists()


def test_speed_of_a_removed_video_still_counts(filled: Library, database: Database) -> None:
    before = database.query("SELECT count(*) AS timings FROM asset_timings")
    filled.remove_video("bridge")
    assert database.query("SELECT count(*) AS timings FROM asset_timings") == before


def test_video_at_work_is_not_removed(filled: Library, database: Database) -> None:
    with held_by_another(database, video_lock("bridge")), pytest.raises(EarshotError, match="a run works on bridge"):
        filled.remove_video("bridge")
    assert get_video(database, "bridge") is not None


def test_queued_run_of_a_removed_video_is_canceled(filled: Library, instance: DagsterInstance) -> None:
    queue_run(instance, graph.definitions.resolve_job_def("ingest_video"), {PARTITION_TAG: "bridge"})
    filled.remove_video("bridge")
    [run] = instance.get_runs(RunsFilter(tags={PARTITION_TAG: "bridge"}))
    assert run.status == DagsterRunStatus.CANCELED


def test_killed_removal_is_finished_by_the_next_one(filled: Library, database: Database, instance: DagsterInstance) -> None:
    remove_rows(database, ["bridge"], exclude=True)
    assert location_of("bridge.flac").exists()
    filled.remove_video("boats")
    assert not location_of("bridge.flac").exists()
    assert instance.get_dynamic_partitions(str(videos.name)) == []
    assert database.query("SELECT * FROM unfinished_removals") == []


def test_failure_to_delete_a_file_keeps_the_note(filled: Library, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_uri: str) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(removal, "location_of", refuse)
        with pytest.raises(PermissionError):
            filled.remove_video("bridge")
    assert [row["video_id"] for row in database.query("SELECT video_id FROM unfinished_removals")] == ["bridge"]
    filled.remove_video("boats")
    assert not location_of("bridge.flac").exists()


def listed(key: str) -> Entry:
    return Entry(key, f"https://x/{key}", key.title(), published_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_poll_does_not_bring_a_removed_video_back(filled: Library, database: Database) -> None:
    filled.remove_video("bridge")
    listings.save_listing(database, SOURCE, Listing((listed("bridge"),), complete=True), [listed("bridge")])
    decision = StoredDecision(listed("bridge"), "wanted", "")
    assert listings.save_decisions(database, SOURCE, [decision]) == []
    assert get_video(database, "bridge") is None
    assert database.query("SELECT decision, reason FROM source_videos") == [
        {"decision": "left_out", "reason": left_out_reason(BY_USER)}
    ]
    filled.readmit_video("bridge")
    assert listings.save_decisions(database, SOURCE, [decision]) == ["bridge"]
    assert filled.removed_videos() == []
    with pytest.raises(Unknown, match="was removed"):
        filled.readmit_video("bridge")


@pytest.mark.parametrize(("named", "result"), [("folder", "left_out"), ("file", "planned")])
def test_only_its_own_address_brings_a_removed_video_back(
    filled: Library, database: Database, instance: DagsterInstance, tmp_path: Path, named: str, result: str
) -> None:
    folder = tmp_path / "talks"
    folder.mkdir()
    (folder / "talk.wav").write_bytes(b"RIFF talk")
    source = source_named(str(folder if named == "folder" else folder / "talk.wav"))
    [entry] = list_all(source).entries
    database.query("INSERT INTO excluded_videos VALUES (%s, 'u', 's', 't')", [entry.video_id])
    [outcome] = list(ingest([source], IngestChoice(dry_run=True), database, instance))
    assert isinstance(outcome, Outcome)
    assert outcome.result == result
    assert filled.removed_videos()


def test_source_is_removed_with_its_videos(filled: Library, database: Database, tmp_path: Path) -> None:
    listings.save_listing(database, SOURCE, Listing((listed("bridge"),), complete=True), [listed("bridge")])
    assert filled.source_traces("Harbour Talk").videos == 2
    assert filled.remove_source("Harbour Talk").videos == 2
    assert (tmp_path / "sources.yaml").read_text() == "# mine\nsources:\n"
    assert tables_with(database, "bridge") | tables_with(database, "boats") == set()
    assert database.query("SELECT * FROM sources") == []
    assert filled.sources() == []
