"""Videos in the catalogue and their states, in a real Postgres."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from earshot.cli.library.videos import videos_command
from earshot.common.errors import (
    DatabaseUnusable,
    EarshotError,
    GpuUnavailable,
    InvalidMedia,
    Misconfigured,
    ModelUnavailable,
    NoAudio,
    Permanent,
    Removed,
    Retryable,
    SourceUnusable,
)
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import (
    Video,
    count_keys,
    count_videos,
    get_video,
    list_videos,
    mark_ready_if_complete,
    record_crash,
    record_failure,
    register,
    set_duration,
    stream_keys,
    stream_videos,
)
from earshot.storage.database import Database
from tests.support.timing_rows import keep, usual

TALK = Video("v1", "https://x/a.mp3", "https://x/feed.xml", "A talk", "A channel", datetime(2026, 1, 5, tzinfo=UTC), 60.0)


def stored(database: Database, video_id: str = "v1") -> Video:
    video = get_video(database, video_id)
    assert video is not None
    return video


def leave_timings(database: Database, *stages: str, video_id: str = "v1") -> None:
    for stage in stages:
        keep(database, stage, usual(), video_id)


def test_registered_video_is_stored_exactly(database: Database) -> None:
    register(database, [TALK])
    assert get_video(database, "v1") == TALK
    assert (TALK.state, TALK.attempts, TALK.last_error) == ("new", 0, None)


def test_unregistered_video_is_none(database: Database) -> None:
    assert get_video(database, "v1") is None


def test_registering_again_refreshes_title_and_address(database: Database) -> None:
    register(database, [TALK])
    register(database, [replace(TALK, url="https://y/b.mp3", title="A better title")])
    assert (stored(database).url, stored(database).title) == ("https://y/b.mp3", "A better title")
    assert len(list_videos(database)) == 1


def test_registering_again_keeps_state_attempts_and_error(database: Database) -> None:
    register(database, [TALK])
    record_failure(database, "v1", Removed("It is gone."))
    register(database, [TALK])
    assert (stored(database).state, stored(database).attempts, stored(database).last_error) == ("removed", 1, "It is gone.")


def test_registering_again_keeps_missing_facts(database: Database) -> None:
    register(database, [TALK])
    register(database, [replace(TALK, channel=None, published_at=None, duration_s=None)])
    assert stored(database) == TALK


def test_decoded_duration_is_kept(database: Database) -> None:
    register(database, [TALK])
    set_duration(database, "v1", 61.25)
    register(database, [replace(TALK, duration_s=3600.0)])
    assert stored(database).duration_s == 61.25


def test_registering_nothing_is_accepted(database: Database) -> None:
    register(database, [])
    assert list_videos(database) == []


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Permanent("Never."), "failed"),
        (InvalidMedia("Cut off."), "failed"),
        (Retryable("A timeout."), "failed"),
        (NoAudio("Only a picture."), "no_audio"),
        (Removed("Gone."), "removed"),
    ],
)
def test_error_of_video_sets_its_state(database: Database, error: EarshotError, state: str) -> None:
    register(database, [TALK])
    record_failure(database, "v1", error)
    assert (stored(database).state, stored(database).attempts, stored(database).last_error) == (state, 1, str(error))


@pytest.mark.parametrize("kind", [Misconfigured, GpuUnavailable, ModelUnavailable, DatabaseUnusable, SourceUnusable])
@pytest.mark.parametrize("before", ["new", "ready"])
def test_error_of_setup_keeps_the_state(database: Database, kind: type[EarshotError], before: str) -> None:
    register(database, [TALK])
    database.query("UPDATE videos SET state = %s", [before])
    record_failure(database, "v1", kind("No such device.", "Buy one."))
    assert (stored(database).state, stored(database).last_error) == (before, "No such device. Buy one.")


def test_crash_fails_the_video(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    record_crash(database, "v1", "Killed.")
    record_crash(database, "v1", "Killed again.")
    assert (stored(database).state, stored(database).attempts, stored(database).last_error) == ("failed", 2, "Killed again.")
    assert stored(database, "v2").state == "new"


@pytest.mark.parametrize("missing", STAGES)
def test_video_without_every_stage_is_not_ready(database: Database, missing: str) -> None:
    register(database, [TALK])
    leave_timings(database, *(stage for stage in STAGES if stage != missing))
    mark_ready_if_complete(database, "v1")
    assert stored(database).state == "new"


def test_video_with_every_stage_is_ready(database: Database) -> None:
    register(database, [TALK])
    record_failure(database, "v1", Retryable("A timeout."))
    leave_timings(database, *STAGES)
    mark_ready_if_complete(database, "v1")
    assert (stored(database).state, stored(database).attempts, stored(database).last_error) == ("ready", 0, None)


def test_stages_of_another_video_do_not_count(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    leave_timings(database, *STAGES[:3])
    leave_timings(database, *STAGES[3:], video_id="v2")
    mark_ready_if_complete(database, "v1")
    assert {video.state for video in list_videos(database)} == {"new"}


def test_videos_are_listed_newest_first_and_undated_last(database: Database) -> None:
    dates = {"old": datetime(2020, 1, 1, tzinfo=UTC), "undated": None, "new": datetime(2026, 1, 1, tzinfo=UTC)}
    register(database, [replace(TALK, video_id=name, published_at=date) for name, date in dates.items()])
    assert [video.video_id for video in list_videos(database)] == ["new", "old", "undated"]


def test_undated_videos_are_listed_last_registered_first(database: Database) -> None:
    for name in ("first", "second"):
        register(database, [replace(TALK, video_id=name, published_at=None)])
    assert [video.video_id for video in list_videos(database)] == ["second", "first"]


def test_videos_of_one_state_are_listed(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    record_failure(database, "v2", NoAudio("Only a picture."))
    assert [video.video_id for video in list_videos(database, "no_audio")] == ["v2"]
    assert list_videos(database, "ready") == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_keys_are_streamed_in_order(database: Database, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.storage.catalog.videos.KEYS_AT_ONCE", 2)
    register(database, [replace(TALK, video_id=f"v{number}") for number in reversed(range(count))])
    assert list(stream_keys(database)) == [f"v{number}" for number in range(count)]
    assert count_keys(database) == count


def test_keys_of_one_source_are_streamed(database: Database) -> None:
    register(database, [replace(TALK, video_id=f"v{number}", source=f"https://{number % 2}") for number in range(5)])
    assert list(stream_keys(database, "https://0")) == ["v0", "v2", "v4"]
    assert (count_keys(database, "https://1"), count_keys(database, "https://2")) == (2, 0)


def test_streamed_videos_match_the_list(database: Database) -> None:
    register(database, [Video(f"v{n}", f"https://x/{n}", "https://x", f"Video {n}") for n in range(5)])
    database.query("UPDATE videos SET state = 'ready' WHERE video_id IN ('v1', 'v3')")
    assert list(stream_videos(database)) == list_videos(database)
    assert [video.video_id for video in stream_videos(database, "ready")] == ["v1", "v3"]
    assert len(list_videos(database, most=2)) == 2
    assert (count_videos(database), count_videos(database, "ready"), count_videos(database, "failed")) == (5, 2, 0)


def test_long_list_of_videos_is_cut(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    register(database, [Video(f"v{n}", f"https://x/{n}", "https://x", f"Video {n}") for n in range(3)])
    monkeypatch.setattr("earshot.cli.library.videos.MOST_SHOWN", 2)
    output = CliRunner().invoke(videos_command).stdout
    assert "v2" not in output
    assert "2 of 3" in output
