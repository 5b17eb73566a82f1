"""Ingest and backfill through the library: what is asked of Dagster and what comes back. No model is loaded."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot import EarshotError, Library, open_library
from earshot.common.errors import Misconfigured, SourceUnusable
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, list_videos, mark_ready_if_complete, register
from earshot.storage.database import Database
from ingest_assets.operations.ingest import Outcome
from ingest_assets.stages.versions import expected_versions
from tests.support.library import run_stage


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty sources.yaml."""
    path = tmp_path / "sources.yaml"
    path.write_text("")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


@pytest.fixture
def current(instance: DagsterInstance, database: Database) -> Library:
    """Videos `a`, uploaded first, and `b`, both current in all stages, in a Dagster instance without partitions."""
    assert instance
    for day, key in enumerate("ab", start=1):
        published = datetime(2026, 1, day, tzinfo=UTC)
        register(database, [Video(key, f"https://x/{key}", "https://x", key.upper(), published_at=published)])
        for stage in STAGES:
            run_stage(database, key, stage, expected_versions()[stage], f"{stage} of {key}")
        mark_ready_if_complete(database, key)
    return open_library()


# --- ingest --------------------------------------------------------------------------------------------------------------


def test_dry_run_plans_and_registers_nothing(instance: DagsterInstance, database: Database, tmp_path: Path) -> None:
    assert instance
    (tmp_path / "call.flac").write_bytes(clip_path(TELEPHONE).read_bytes())
    result = open_library().ingest(str(tmp_path), dry_run=True)
    [outcome] = result.outcomes
    assert (outcome.result, outcome.stages, result.done, result.failed, result.speakers) == ("planned", STAGES, (), (), {})
    assert list_videos(database) == []


def test_ingest_tells_each_outcome_as_it_ends(instance: DagsterInstance, database: Database, tmp_path: Path) -> None:
    assert instance
    assert database
    told: list[object] = []
    missing = str(tmp_path / "missing.mp3")
    result = open_library().ingest(missing, tell=told.append)
    assert told == list(result.outcomes)
    [failed] = result.failed
    assert isinstance(failed, Outcome)
    assert failed.error == f"{missing}: no such file or folder. Check the path."


def test_ingest_without_a_source_says_what_to_name(database: Database, sources: Path) -> None:
    assert database
    with pytest.raises(EarshotError, match=f"No source is named, and {sources} has none"):
        open_library().ingest()


def test_ingest_takes_those_of_sources_yaml(
    instance: DagsterInstance, database: Database, sources: Path, tmp_path: Path
) -> None:
    assert instance
    assert database
    for name in ("one.mp3", "two.mp3"):
        (tmp_path / name).write_bytes(name.encode())
    sources.write_text(f"sources:\n  - folder: {tmp_path}\n    name: recordings\n")
    result = open_library().ingest(limit=1, dry_run=True)
    assert {outcome.source for outcome in result.outcomes} == {"recordings"}
    assert sorted(outcome.result for outcome in result.outcomes) == ["left_out", "planned"]


def test_ingest_refuses_what_is_no_source(database: Database) -> None:
    assert database
    with pytest.raises(SourceUnusable):
        open_library().ingest("ftp://example.com/a.mp3")


def test_ingest_ends_with_a_wrong_device(
    instance: DagsterInstance, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert instance
    assert database
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(Misconfigured, match="asks for cuda"):
        open_library().ingest(str(clip_path(TELEPHONE)))
    assert list(tmp_path.iterdir()) == []


# --- backfill ------------------------------------------------------------------------------------------------------------


def test_backfill_dry_run_lists_stages_and_starts_nothing(current: Library) -> None:
    planned = current.backfill("transcript", videos="B", dry_run=True)
    assert planned.backfill_id is None
    assert planned.stages[["video_id", "stage"]].to_numpy().tolist() == [["b", "transcript"], ["b", "text_embeddings"]]


def test_backfill_starts_is_followed_and_cancelled(current: Library) -> None:
    started = current.backfill(["audio"], limit=1)
    assert started.backfill_id is not None
    assert set(started.stages.video_id) == {"b"}
    progress = current.backfill_progress(started.backfill_id)
    assert (progress.videos, progress.done, progress.failed, progress.ended) == (1, 0, 0, False)
    current.cancel_backfill(started.backfill_id)
    assert current.backfill_progress(started.backfill_id).status == "CANCELING"


def test_backfill_of_what_is_stale_is_nothing_in_a_current_library(current: Library) -> None:
    found = current.backfill(stale=True)
    assert (found.backfill_id, len(found.stages)) == (None, 0)


def test_backfill_counts_videos_without_a_date(current: Library) -> None:
    current.database.query("UPDATE videos SET published_at = NULL WHERE video_id = 'a'")
    found = current.backfill("audio", since=date(2026, 1, 1), dry_run=True)
    assert (set(found.stages.video_id), found.undated_videos_left_out) == ({"b"}, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "No stage is named"),
        ({"stages": "audoi"}, "There is no stage 'audoi'"),
        ({"stages": "audio", "videos": "c"}, "There is no video 'c'"),
    ],
)
def test_backfill_refuses_what_is_not_there(current: Library, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        current.backfill(**asked)


def test_progress_of_an_unknown_backfill(current: Library) -> None:
    with pytest.raises(EarshotError, match="There is no backfill 'abc'"):
        current.backfill_progress("abc")
