"""What the catalogue keeps of each video, and what changes its state, in a real Postgres."""

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

TALK = Video("v1", "https://x/a.mp3", "https://x/feed.xml", "A talk", "A channel", datetime(2026, 1, 5, tzinfo=UTC), 60.0)


def known(database: Database, video_id: str = "v1") -> Video:
    video = get_video(database, video_id)
    assert video is not None
    return video


def leave_timings(database: Database, *stages: str, video_id: str = "v1") -> None:
    """A timing of each stage, its figures of no account."""
    with database.connect() as connection:
        for stage in stages:
            connection.execute(
                "INSERT INTO asset_timings (video_id, asset, run_id, code_version, audio_s, wall_s, compute_s, load_s, io_s, "
                "rtf, x_realtime, items, items_per_s, device, device_name, model, model_revision, compute_type, batch_size, "
                "cpu_s, cache_hits, cache_misses) "
                "VALUES (%s, %s, 'run', '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, 'cpu', '', '', '', '', 1, 0, 0, 0)",
                [video_id, stage],
            )


def test_a_video_comes_back_as_it_was_registered(database: Database) -> None:
    register(database, [TALK])
    assert get_video(database, "v1") == TALK
    assert (TALK.state, TALK.attempts, TALK.last_error) == ("new", 0, None)


def test_a_video_nobody_registered_is_not_found(database: Database) -> None:
    assert get_video(database, "v1") is None


def test_registering_again_refreshes_title_and_address(database: Database) -> None:
    register(database, [TALK])
    register(database, [replace(TALK, url="https://y/b.mp3", title="A better title")])
    assert (known(database).url, known(database).title) == ("https://y/b.mp3", "A better title")
    assert len(list_videos(database)) == 1


def test_registering_again_keeps_state_attempts_and_error(database: Database) -> None:
    register(database, [TALK])
    record_failure(database, "v1", Removed("It is gone."))
    register(database, [TALK])
    assert (known(database).state, known(database).attempts, known(database).last_error) == ("removed", 1, "It is gone.")


def test_what_a_source_no_longer_says_is_not_forgotten(database: Database) -> None:
    register(database, [TALK])
    register(database, [replace(TALK, channel=None, published_at=None, duration_s=None)])
    assert known(database) == TALK


def test_the_decoded_duration_stays_whatever_the_source_claims(database: Database) -> None:
    register(database, [TALK])
    set_duration(database, "v1", 61.25)
    register(database, [replace(TALK, duration_s=3600.0)])
    assert known(database).duration_s == 61.25


def test_registering_nothing_is_no_error(database: Database) -> None:
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
def test_an_error_of_the_video_sets_its_state(database: Database, error: EarshotError, state: str) -> None:
    register(database, [TALK])
    record_failure(database, "v1", error)
    assert (known(database).state, known(database).attempts, known(database).last_error) == (state, 1, str(error))


@pytest.mark.parametrize("kind", [Misconfigured, GpuUnavailable, ModelUnavailable, DatabaseUnusable, SourceUnusable])
@pytest.mark.parametrize("before", ["new", "ready"])
def test_an_error_of_the_set_up_leaves_the_state_and_is_kept(database: Database, kind: type[EarshotError], before: str) -> None:
    register(database, [TALK])
    database.query("UPDATE videos SET state = %s", [before])
    record_failure(database, "v1", kind("No such device.", "Buy one."))
    assert (known(database).state, known(database).last_error) == (before, "No such device. Buy one.")


def test_a_crash_fails_the_video_and_counts(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    record_crash(database, "v1", "Killed.")
    record_crash(database, "v1", "Killed again.")
    assert (known(database).state, known(database).attempts, known(database).last_error) == ("failed", 2, "Killed again.")
    assert known(database, "v2").state == "new"


@pytest.mark.parametrize("missing", STAGES)
def test_a_video_that_lacks_a_stage_is_not_ready(database: Database, missing: str) -> None:
    register(database, [TALK])
    leave_timings(database, *(stage for stage in STAGES if stage != missing))
    mark_ready_if_complete(database, "v1")
    assert known(database).state == "new"


def test_a_video_with_every_stage_is_ready_and_its_failures_are_forgotten(database: Database) -> None:
    register(database, [TALK])
    record_failure(database, "v1", Retryable("A timeout."))
    leave_timings(database, *STAGES)
    mark_ready_if_complete(database, "v1")
    assert (known(database).state, known(database).attempts, known(database).last_error) == ("ready", 0, None)


def test_the_stages_of_another_video_do_not_count(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    leave_timings(database, *STAGES[:3])
    leave_timings(database, *STAGES[3:], video_id="v2")
    mark_ready_if_complete(database, "v1")
    assert {video.state for video in list_videos(database)} == {"new"}


def test_videos_are_listed_newest_first_and_undated_last(database: Database) -> None:
    dates = {"old": datetime(2020, 1, 1, tzinfo=UTC), "undated": None, "new": datetime(2026, 1, 1, tzinfo=UTC)}
    register(database, [replace(TALK, video_id=name, published_at=date) for name, date in dates.items()])
    assert [video.video_id for video in list_videos(database)] == ["new", "old", "undated"]


def test_of_undated_videos_those_registered_last_come_first(database: Database) -> None:
    for name in ("first", "second"):
        register(database, [replace(TALK, video_id=name, published_at=None)])
    assert [video.video_id for video in list_videos(database)] == ["second", "first"]


def test_videos_of_one_state_are_listed(database: Database) -> None:
    register(database, [TALK, replace(TALK, video_id="v2")])
    record_failure(database, "v2", NoAudio("Only a picture."))
    assert [video.video_id for video in list_videos(database, "no_audio")] == ["v2"]
    assert list_videos(database, "ready") == []


def test_a_moment_is_the_same_moment_when_it_comes_back(database: Database) -> None:
    register(database, [TALK])
    assert known(database).published_at == datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_keys_come_in_order_whatever_the_page(database: Database, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.storage.catalog.videos.KEYS_AT_ONCE", 2)
    register(database, [replace(TALK, video_id=f"v{number}") for number in reversed(range(count))])
    assert list(stream_keys(database)) == [f"v{number}" for number in range(count)]
    assert count_keys(database) == count


def test_keys_of_a_source_are_those_of_its_videos(database: Database) -> None:
    register(database, [replace(TALK, video_id=f"v{number}", source=f"https://{number % 2}") for number in range(5)])
    assert list(stream_keys(database, "https://0")) == ["v0", "v2", "v4"]
    assert (count_keys(database, "https://1"), count_keys(database, "https://2")) == (2, 0)


def test_videos_are_streamed_as_they_are_listed_and_counted_by_state(database: Database) -> None:
    register(database, [Video(f"v{n}", f"https://x/{n}", "https://x", f"Video {n}") for n in range(5)])
    database.query("UPDATE videos SET state = 'ready' WHERE video_id IN ('v1', 'v3')")
    assert list(stream_videos(database)) == list_videos(database)
    assert [video.video_id for video in stream_videos(database, "ready")] == ["v1", "v3"]
    assert len(list_videos(database, most=2)) == 2
    assert (count_videos(database), count_videos(database, "ready"), count_videos(database, "failed")) == (5, 2, 0)


def test_a_long_list_of_videos_says_that_it_is_not_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    register(database, [Video(f"v{n}", f"https://x/{n}", "https://x", f"Video {n}") for n in range(3)])
    monkeypatch.setattr("earshot.cli.library.videos.MOST_SHOWN", 2)
    told = CliRunner().invoke(videos_command).stdout
    assert "v2" not in told
    assert told.endswith("The newest 2 of 3 videos; --json has them all.\n")
