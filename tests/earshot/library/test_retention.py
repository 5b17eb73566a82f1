"""Retention: what a source no longer keeps goes and stays away; what was corrected by hand, or is wanted elsewhere, stays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from dagster import DagsterInstance, build_schedule_context

from earshot import Library
from earshot.common.errors import EarshotError
from earshot.config.sources_file import Kind, Source
from earshot.sources import listings
from earshot.sources.listings import StoredDecision
from earshot.storage.catalog.entries import Entry, Listing
from earshot.storage.catalog.videos import get_video, stream_keys
from earshot.storage.database import Database
from earshot.storage.locks import video_lock
from earshot.storage.media_store import MediaStore, location_of
from ingest_assets.definitions import defs
from ingest_assets.partitions import videos
from sensors.retention_daily import retention_daily
from tests.earshot.cli.conftest import Earshot, earshot
from tests.earshot.storage.test_locks import held_by_another
from tests.support.library import fill, run_stages

__all__ = ["earshot"]

ADDRESS = "https://x"
SOURCE = Source(Kind.FEED, ADDRESS, "Harbour Talk", keep_days=30)
AGES = {"new": 1, "young": 10, "old": 40, "older": 400}  # days

Keep = Callable[..., None]


@pytest.fixture
def filled(instance: DagsterInstance, database: Database) -> Library:
    """Ready videos of AGES of one source, with audio and partitions."""
    fill(database, list(AGES), [" who", " paid"])
    instance.add_dynamic_partitions(str(videos.name), list(AGES))
    for key, days in AGES.items():
        uri = MediaStore().write(key, np.zeros(16_000, dtype=np.int16))
        database.query("INSERT INTO audio VALUES (%s, %s, 'sha', 16000, 16000, 1.0, 'file')", [key, uri])
        run_stages(database, key, "audio")
        database.query(
            "UPDATE videos SET state = 'ready', published_at = now() - make_interval(days => %s) WHERE video_id = %s",
            [days, key],
        )
        database.query(
            "UPDATE stage_outputs SET current_at = now() - make_interval(days => %s) WHERE video_id = %s", [days, key]
        )
    return Library()


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Watches the source with these options, and further sources."""
    path = tmp_path / "sources.yaml"
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))

    def write(*more: str, **options: object) -> None:
        keys = "".join(f"    {key}: {str(value).lower()}\n" for key, value in options.items())
        path.write_text(f"sources:\n  - feed: {ADDRESS}\n{keys}" + "".join(f"  - feed: {one}\n" for one in more))

    return write


def left(database: Database) -> list[str]:
    return [key for key in AGES if key in set(stream_keys(database))]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, ["new", "young", "old", "older"]),
        ({"keep_days": 30}, ["new", "young"]),
        ({"keep_videos": 3}, ["new", "young", "old"]),
        ({"keep_days": 100, "keep_videos": 1}, ["new"]),
    ],
)
def test_source_keeps_what_it_says(
    filled: Library, database: Database, keep: Keep, options: dict[str, int], kept: list[str]
) -> None:
    keep(**options)
    assert {one.video_id for one in filled.expired().videos} == set(AGES) - set(kept)
    assert len(filled.remove_expired().videos) == len(AGES) - len(kept)
    assert left(database) == kept
    assert [location_of(f"{key}.flac").exists() for key in AGES] == [key in kept for key in AGES]
    assert filled.expired().videos == ()


def test_expired_video_does_not_come_back_with_its_source(filled: Library, database: Database, keep: Keep) -> None:
    entry = Entry("old", "https://x/old", "Old", published_at=datetime.now(UTC) - timedelta(days=40))
    listings.save_listing(database, SOURCE, Listing((entry,), complete=True), [entry])
    keep(keep_days=30)
    filled.remove_expired()
    assert listings.save_decisions(database, SOURCE, [StoredDecision(entry, "wanted", "")]) == []
    assert database.query("SELECT decision, reason FROM source_videos") == [
        {"decision": "left_out", "reason": "removed because keep_days is 30; `earshot ingest URL` brings it back"}
    ]
    assert {one.reason for one in filled.removed_videos()} == {"because keep_days is 30"}


def test_video_that_another_source_keeps_stays(filled: Library, database: Database, keep: Keep) -> None:
    database.query("INSERT INTO sources (source) VALUES ('https://y')")
    database.query(
        "INSERT INTO source_videos (source, video_id, url, title, backlog, decision) "
        "VALUES ('https://y', 'old', 'u', 't', false, 'wanted')"
    )
    keep("https://y", keep_days=30)
    filled.remove_expired()
    assert left(database) == ["new", "young", "old"]


def test_video_ingested_by_its_own_address_stays(filled: Library, database: Database, keep: Keep) -> None:
    database.query("UPDATE videos SET source = url WHERE video_id = 'old'")
    keep(keep_days=30)
    filled.remove_expired()
    assert left(database) == ["new", "young", "old"]


def test_video_at_work_stays_until_the_next_time(filled: Library, database: Database, keep: Keep) -> None:
    keep(keep_days=30, keep_audio_days=5)
    with held_by_another(database, video_lock("old")), held_by_another(database, video_lock("young")):
        removed = filled.remove_expired()
    assert ([one.video_id for one in removed.videos], removed.audio) == (["older"], ())
    removed = filled.remove_expired()
    assert ([one.video_id for one in removed.videos], [one.video_id for one in removed.audio]) == (["old"], ["young"])


# --- corrections by hand ---------------------------------------------------------------------------------------------------


def name(database: Database, person: str, *keys: str) -> None:
    """A correction that says that this person speaks in these videos."""
    database.query(
        "WITH p AS (INSERT INTO people (name, listed) VALUES (%s, false) RETURNING person_id), "
        "c AS (INSERT INTO corrections (kind, person_id) SELECT 'is', person_id FROM p RETURNING correction_id) "
        "INSERT INTO corrected_spans SELECT correction_id, 0, key, 0, 1 FROM c, unnest(%s::text[]) key",
        [person, list(keys)],
    )


def test_corrected_videos_stay_unless_the_source_says_otherwise(filled: Library, database: Database, keep: Keep) -> None:
    filled.word_corrections.correct("old", 0.0, 1.0, "Who")
    name(database, "Ana", "older")
    keep(keep_days=30)
    assert [one.video_id for one in filled.remove_expired().protected] == ["older", "old"]
    assert left(database) == list(AGES)
    keep(keep_days=30, keep_corrected=False)
    filled.remove_expired()
    assert left(database) == ["new", "young"]


def test_newest_videos_by_which_a_person_was_named_stay(filled: Library, database: Database, keep: Keep) -> None:
    name(database, "Ana", *AGES)
    keep(keep_days=5)
    assert [one.video_id for one in filled.remove_expired().protected] == ["old", "young"]
    assert left(database) == ["new", "young", "old"]


# --- audio -----------------------------------------------------------------------------------------------------------------


def test_audio_goes_and_the_transcript_stays(filled: Library, database: Database, keep: Keep) -> None:
    keep(keep_audio_days=30)
    removed = filled.remove_expired()
    assert (removed.videos, [one.video_id for one in removed.audio]) == ((), ["older", "old"])
    assert left(database) == list(AGES)
    assert [location_of(f"{key}.flac").exists() for key in AGES] == [True, True, False, False]
    assert filled.expired().audio == ()
    with pytest.raises(
        EarshotError, match=r"The audio of old was deleted on 20.*keep_audio_days.*earshot backfill audio --video"
    ):
        filled.sound("old")
    assert filled.why_audio_deleted("new") == ""


def test_audio_of_a_video_that_is_not_ready_stays(filled: Library, database: Database, keep: Keep) -> None:
    database.query("UPDATE videos SET state = 'failed'")
    keep(keep_audio_days=1)
    assert filled.remove_expired().audio == ()


# --- the command and the schedule ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("filled")
def test_command_lists_and_removes(earshot: Earshot, database: Database, keep: Keep) -> None:
    keep(keep_days=100, keep_audio_days=30)
    would = earshot("remove", "--expired", "--dry-run")
    assert would.out.splitlines()[0] == "Videos: Older (older), because keep_days is 100"
    assert "Would remove 1 video, 0:00:01 of audio, 2 words, 1 passage, and the audio of 1 more video." in would.out
    assert get_video(database, "older")
    assert "Removed 1 video" in earshot("remove", "--expired", "--yes").out
    assert get_video(database, "older") is None
    assert earshot("remove", "--expired").out == "Nothing has expired.\n"
    assert earshot("remove", "older", "--expired").code == 2


@pytest.mark.usefixtures("filled")
def test_schedule_removes_only_if_a_source_does_not_keep_everything(database: Database, keep: Keep) -> None:
    keep()
    assert not retention_daily.evaluate_tick(build_schedule_context()).run_requests
    keep(keep_days=30)
    assert retention_daily.evaluate_tick(build_schedule_context()).run_requests
    assert defs.resolve_job_def("remove_expired").execute_in_process().success
    assert left(database) == ["new", "young"]
