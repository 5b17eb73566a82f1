"""Ingest and backfill through the library: what Dagster is asked and what it answers. No model is loaded."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.corpora.episodes import TELEPHONE, clip_path
from earshot import EarshotError, Library, open_library
from earshot.common.errors import Misconfigured, SourceUnusable
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, list_videos, mark_ready_if_complete, register
from earshot.storage.database import Database
from ingest_assets.operations.ingest import Outcome
from ingest_assets.stages.versions import expected_versions
from tests.support.library import run_stage

pytestmark = pytest.mark.usefixtures("instance")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty sources.yaml."""
    path = tmp_path / "sources.yaml"
    path.write_text("")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


@pytest.fixture
def current(database: Database) -> Library:
    """Videos `a`, uploaded first, and `b`, both current in all stages, in a Dagster instance without partitions."""
    for day, key in enumerate("ab", start=1):
        published = datetime(2026, 1, day, tzinfo=UTC)
        register(database, [Video(key, f"https://x/{key}", "https://x", key.upper(), published_at=published)])
        for stage in STAGES:
            run_stage(database, key, stage, expected_versions()[stage], f"{stage} of {key}")
        mark_ready_if_complete(database, key)
    return open_library()


# --- ingest --------------------------------------------------------------------------------------------------------------


def test_dry_run_plans_and_registers_nothing(database: Database, tmp_path: Path) -> None:
    (tmp_path / "call.flac").write_bytes(clip_path(TELEPHONE).read_bytes())
    result = open_library().ingest(str(tmp_path), dry_run=True)
    [outcome] = result.outcomes
    assert (outcome.result, outcome.stages, result.done, result.failed, result.speakers) == ("planned", STAGES, (), (), {})
    assert list_videos(database) == []


def test_ingest_reports_each_outcome_as_it_ends(tmp_path: Path) -> None:
    reported: list[object] = []
    missing = str(tmp_path / "missing.mp3")
    result = open_library().ingest(missing, tell=reported.append)
    assert reported == list(result.outcomes)
    [failed] = result.failed
    assert isinstance(failed, Outcome)
    assert missing in failed.error


def test_ingest_without_any_source_is_refused(sources: Path) -> None:
    with pytest.raises(EarshotError, match=str(sources)):
        open_library().ingest()


def test_ingest_uses_sources_file_by_default(sources: Path, tmp_path: Path) -> None:
    for name in ("one.mp3", "two.mp3"):
        (tmp_path / name).write_bytes(name.encode())
    sources.write_text(f"sources:\n  - folder: {tmp_path}\n    name: recordings\n")
    result = open_library().ingest(limit=1, dry_run=True)
    assert {outcome.source for outcome in result.outcomes} == {"recordings"}
    assert sorted(outcome.result for outcome in result.outcomes) == ["left_out", "planned"]


def test_ingest_refuses_an_unusable_source() -> None:
    with pytest.raises(SourceUnusable):
        open_library().ingest("ftp://example.com/a.mp3")


def test_ingest_ends_with_a_wrong_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(Misconfigured, match="asks for cuda"):
        open_library().ingest(str(clip_path(TELEPHONE)))


# --- backfill ------------------------------------------------------------------------------------------------------------


def test_backfill_dry_run_starts_nothing(current: Library) -> None:
    planned = current.backfill("transcript", videos="B", dry_run=True)
    assert planned.backfill_id is None
    assert [(stale.video_id, stale.stage) for stale in planned.stages] == [("b", "transcript"), ("b", "text_embeddings")]


def test_backfill_starts_is_followed_and_cancelled(current: Library) -> None:
    started = current.backfill(["audio"], limit=1)
    assert started.backfill_id is not None
    assert {stale.video_id for stale in started.stages} == {"b"}
    progress = current.backfill_progress(started.backfill_id)
    assert (progress.videos, progress.done, progress.failed, progress.ended) == (1, 0, 0, False)
    current.cancel_backfill(started.backfill_id)
    assert current.backfill_progress(started.backfill_id).status == "CANCELING"


def test_stale_backfill_of_current_library_is_empty(current: Library) -> None:
    backfill = current.backfill(stale=True)
    assert (backfill.backfill_id, len(backfill.stages)) == (None, 0)


def test_backfill_counts_undated_videos(current: Library) -> None:
    current.database.query("UPDATE videos SET published_at = NULL WHERE video_id = 'a'")
    backfill = current.backfill("audio", since=date(2026, 1, 1), dry_run=True)
    assert ({stale.video_id for stale in backfill.stages}, backfill.undated_videos_left_out) == ({"b"}, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "No stage is named"),
        ({"stages": "audoi"}, "There is no stage 'audoi'"),
        ({"stages": "audio", "videos": "c"}, "There is no video 'c'"),
    ],
)
def test_backfill_refuses_unknown_stage_and_video(current: Library, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        current.backfill(**asked)


def test_progress_of_unknown_backfill_is_refused(current: Library) -> None:
    with pytest.raises(EarshotError, match="There is no backfill 'abc'"):
        current.backfill_progress("abc")
