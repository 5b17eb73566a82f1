"""The state of a video after a failure, and its retries: when, how often, and in which order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

import pytest
from dagster import DagsterInstance, SensorResult, build_sensor_context

from earshot.common import errors
from earshot.common.backoff import Fate, fate_of
from earshot.common.errors import (
    AddressRefused,
    AgeRestricted,
    Blocked,
    DatabaseUnusable,
    DiskFull,
    EarshotError,
    GeoBlocked,
    GpuUnavailable,
    InvalidMedia,
    LiveOrUpcoming,
    MembersOnly,
    Misconfigured,
    ModelUnavailable,
    NoAudio,
    OutOfMemory,
    OverLimit,
    Permanent,
    Private,
    Removed,
    Retryable,
    Truncated,
    VideoError,
)
from earshot.storage.catalog.source_states import lift_pause, pause, record_served
from earshot.storage.catalog.videos import Video, get_video, record_crash, record_failure, register, reset_attempts
from earshot.storage.database import Database
from ingest_assets.partitions import videos
from sensors.retries import retries
from tests.support.library import stored_video
from tests.support.sensor_daemon import Daemon

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
SECRET = "s3cr3t-t0ken-0123456789"


def waits(expected: float) -> object:
    """So many seconds from now, give or take a busy machine."""
    return pytest.approx(expected, abs=50.0)


def wait_s(fate: Fate) -> float:
    """Seconds until the next try."""
    assert fate.retry_at is not None
    return (fate.retry_at - datetime.now(UTC)).total_seconds()


def waits_of(error: Retryable) -> list[float]:
    """The pauses before each further try."""
    fates = [fate_of(error, attempts) for attempts in range(200)]
    return [wait_s(fate) for fate in takewhile(lambda fate: fate.retry_at is not None, fates)]


# --- the fate of a video -------------------------------------------------------------------------------------------------


PERMANENT = {
    InvalidMedia: "failed", NoAudio: "no_audio", Removed: "removed", Private: "private", MembersOnly: "members_only",
    GeoBlocked: "geo_blocked", AgeRestricted: "age_restricted", AddressRefused: "failed", OverLimit: "failed",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "state"), PERMANENT.items())
def test_permanent_error_is_never_retried(kind: type[Permanent], state: str) -> None:
    for attempts in (0, 7):
        assert fate_of(kind("It is so.", "Do this."), attempts) == Fate(state, attempts + 1, "It is so. Do this.", None)


def test_every_permanent_error_has_a_test() -> None:
    named = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Permanent)}
    assert named == {Permanent, *PERMANENT}


@pytest.mark.parametrize("kind", [Retryable, Truncated, OutOfMemory])
def test_retryable_error_is_tried_six_times_with_backoff(kind: type[Retryable]) -> None:
    assert waits_of(kind("The connection was reset.")) == [waits(s) for s in (300.0, 900.0, 2700.0, 8100.0, 24_300.0)]
    assert fate_of(kind("The connection was reset."), 4).state == "failed"


def test_last_attempt_fails_with_its_message() -> None:
    fate = fate_of(Retryable("The connection was reset.", "Try later."), 5)
    assert fate == Fate("failed", 6, "Given up after 6 attempts. The connection was reset. Try later.", None)


def test_broadcast_without_start_is_finally_given_up() -> None:
    pauses = waits_of(LiveOrUpcoming("It is on air."))
    assert pauses[:3] == [waits(1800.0), waits(2700.0), waits(4050.0)]
    assert all(pause_s <= next_s + 50.0 for pause_s, next_s in pairwise(pauses))
    assert max(pauses) == waits(DAY_S)
    assert len(pauses) == 59
    last = fate_of(LiveOrUpcoming("It is on air."), 59)
    assert (last.state, last.retry_at) == ("failed", None)
    assert "It is on air." in last.message


@pytest.mark.parametrize("starts_in_s", [60.0, 3 * HOUR_S, 40 * DAY_S])
def test_broadcast_is_retried_after_its_start(starts_in_s: float) -> None:
    for attempts in (0, 12):
        fate = fate_of(LiveOrUpcoming("Premieres later.", starts_in_s=starts_in_s), attempts)
        assert (fate.state, fate.attempts) == ("live_or_upcoming", attempts + 1)
        assert wait_s(fate) == waits(starts_in_s + 1800.0)


@pytest.mark.parametrize("kind", [Misconfigured, GpuUnavailable, ModelUnavailable, DatabaseUnusable, DiskFull, Blocked])
def test_error_outside_the_video_counts_no_attempt(kind: type[EarshotError]) -> None:
    for attempts in (0, 5, 80):
        fate = fate_of(kind("Not the video's fault."), attempts)
        assert (fate.state, fate.attempts, wait_s(fate)) == (None, attempts, waits(HOUR_S))


def test_video_of_paused_source_waits_for_its_end() -> None:
    until = datetime.now(UTC) + timedelta(hours=7)
    assert fate_of(Blocked("429"), 3, until) == Fate(None, 3, "429", until)


def test_unknown_error_fails_and_is_not_retried() -> None:
    assert fate_of(VideoError("Something."), 0) == Fate("failed", 1, "Something.", None)
    assert fate_of(EarshotError("Something."), 0) == Fate(None, 1, "Something.", None)


# --- the catalogue -------------------------------------------------------------------------------------------------------


def known(database: Database, video_id: str = "v1", source: str = "a", **columns: object) -> None:
    """A video in the catalogue, with these values."""
    register(database, [Video(video_id, f"https://{source}/{video_id}", source, video_id)])
    for column, value in columns.items():
        database.query(f"UPDATE videos SET {column} = %s WHERE video_id = %s", [value, video_id])  # noqa: S608


def test_sixth_failure_gives_up(database: Database) -> None:
    known(database)
    for attempt in range(1, 6):
        record_failure(database, "v1", Retryable("reset"))
        video = stored_video(database, "v1")
        assert (video.attempts, video.state, video.retry_at is None) == (attempt, "failed", False)
    record_failure(database, "v1", Retryable("reset"))
    given_up = stored_video(database, "v1")
    assert (given_up.state, given_up.attempts, given_up.retry_at) == ("failed", 6, None)
    assert given_up.last_error == "Given up after 6 attempts. reset"
    reset_attempts(database, ["v1"])
    record_failure(database, "v1", Retryable("reset"))
    assert stored_video(database, "v1").retry_at is not None


def test_waiting_for_a_broadcast_counts_no_attempt(database: Database) -> None:
    known(database)
    for _ in range(12):
        record_failure(database, "v1", LiveOrUpcoming("It is on air."))
    record_failure(database, "v1", Retryable("The connection was reset."))
    archived = stored_video(database, "v1")
    assert archived.retry_at is not None
    assert "Given up" not in (archived.last_error or "")


@pytest.mark.parametrize("error", [Private("hidden"), Retryable("reset"), Blocked("429"), LiveOrUpcoming("on air")])
def test_ready_video_stays_ready(database: Database, error: EarshotError) -> None:
    known(database, state="ready")
    record_failure(database, "v1", error)
    assert (stored_video(database, "v1").state, stored_video(database, "v1").retry_at) == ("ready", None)
    assert stored_video(database, "v1").last_error == str(error)


def test_block_keeps_state_and_attempts(database: Database) -> None:
    until = datetime.now(UTC) + timedelta(hours=2)
    known(database, state="live_or_upcoming", attempts=4)
    record_failure(database, "v1", Blocked("429"), until)
    blocked = stored_video(database, "v1")
    assert (blocked.state, blocked.attempts, blocked.retry_at, blocked.last_error) == ("live_or_upcoming", 4, until, "429")


def test_permanent_failure_ends_retries(database: Database) -> None:
    known(database)
    record_failure(database, "v1", Retryable("reset"))
    record_failure(database, "v1", Removed("gone"))
    assert (stored_video(database, "v1").state, stored_video(database, "v1").retry_at) == ("removed", None)


def test_crash_fails_the_video_unless_ready(database: Database) -> None:
    known(database, retry_at=datetime.now(UTC), attempts=2)
    known(database, "v2", state="ready")
    for video_id in ("v1", "v2"):
        record_crash(database, video_id, "killed")
    crashed, ready = stored_video(database, "v1"), stored_video(database, "v2")
    assert (crashed.state, crashed.attempts, crashed.last_error, crashed.retry_at) == ("failed", 3, "killed", None)
    assert (ready.state, ready.last_error, ready.retry_at) == ("ready", "killed", None)


def test_failure_of_unknown_video_is_ignored(database: Database) -> None:
    record_failure(database, "unknown", Retryable("reset"))
    record_crash(database, "unknown", "killed")
    assert get_video(database, "unknown") is None


# --- the sensor ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def daemon(instance: DagsterInstance, database: Database) -> Daemon:
    return Daemon(retries, instance, database)


def ago(seconds: float = 1.0) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def later(seconds: float = HOUR_S) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_due_video_is_run_once(database: Database, daemon: Daemon) -> None:
    known(database, "due", state="failed", retry_at=ago())
    known(database, "later", state="failed", retry_at=later())
    known(database, "never", state="removed")
    assert [daemon.tick() for _ in range(3)] == [["due"], [], []]
    assert daemon.instance.get_dynamic_partitions(str(videos.name)) == ["due"]
    assert stored_video(database, "due").retry_at is None
    assert database.query("SELECT video_id FROM run_requests") == []


def test_repeated_failure_is_retried_again(database: Database, daemon: Daemon) -> None:
    known(database, "v1", state="failed", retry_at=ago())
    assert daemon.tick() == ["v1"]
    record_failure(database, "v1", Retryable("reset"))
    assert daemon.tick() == []
    database.query("UPDATE videos SET retry_at = now()")
    assert daemon.tick() == ["v1"]
    assert len(daemon.runs) == 2


def test_dying_tick_loses_and_repeats_nothing(database: Database, daemon: Daemon) -> None:
    for video_id in ("v1", "v2"):
        known(database, video_id, retry_at=ago())
    assert sorted(daemon.tick(dies=True)) == ["v1", "v2"]
    known(database, "v3", retry_at=ago())
    assert [daemon.tick() for _ in range(2)] == [["v3"], []]
    assert sorted(daemon.runs.values()) == ["v1", "v2", "v3"]


def test_sources_alternate_and_paused_ones_wait(database: Database, daemon: Daemon) -> None:
    for video_id, source in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("p1", "p")):
        known(database, video_id, source, retry_at=ago())
    pause(database, "p", "429")
    started = daemon.tick()
    assert [video_id[0] for video_id in started] in (["a", "b", "a", "b"], ["b", "a", "b", "a"])
    assert daemon.tick() == []
    assert stored_video(database, "p1").retry_at is not None
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    assert daemon.tick() == ["p1"]


def test_announced_video_is_run_after_its_start(database: Database, daemon: Daemon) -> None:
    known(database)
    record_failure(database, "v1", LiveOrUpcoming("Premieres in 3 hours.", starts_in_s=3 * HOUR_S))
    assert daemon.tick() == []
    database.query("UPDATE videos SET retry_at = retry_at - interval '3 hours'")
    assert daemon.tick() == []  # it has begun, and is not archived yet
    database.query("UPDATE videos SET retry_at = retry_at - interval '31 minutes'")
    assert daemon.tick() == ["v1"]
    assert stored_video(database, "v1").state == "live_or_upcoming"


@pytest.mark.parametrize("end", [record_served, lift_pause])
def test_blocked_source_gets_one_request_at_a_time(
    database: Database, daemon: Daemon, end: Callable[[Database, str], None]
) -> None:
    until = pause(database, "a", "429", 3600.0)
    for video_id in ("v1", "v2", "v3", "v4"):
        known(database, video_id)
        record_failure(database, video_id, Blocked("429"), until)
    assert daemon.tick() == []
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    database.query("UPDATE videos SET retry_at = now()")
    assert [len(daemon.tick()), len(daemon.tick())] == [1, 1]
    end(database, "a")
    assert len(daemon.tick()) == 2
    assert sorted(daemon.runs.values()) == ["v1", "v2", "v3", "v4"]


def test_repeated_block_keeps_the_rest_waiting(database: Database, daemon: Daemon) -> None:
    pause(database, "a", "429")
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    for video_id in ("v1", "v2"):
        known(database, video_id, retry_at=ago())
    [first] = daemon.tick()
    record_failure(database, first, Blocked("429"), pause(database, "a", "429"))
    assert daemon.tick() == []
    assert stored_video(database, first).attempts == 0


def test_video_ready_or_removed_meanwhile_is_not_run(database: Database, daemon: Daemon) -> None:
    for video_id in ("made ready", "gone", "waiting"):
        known(database, video_id, retry_at=ago())
    assert sorted(daemon.tick(dies=True)) == ["gone", "made ready", "waiting"]
    daemon.runs.clear()  # as if it had died before submitting them
    database.query("UPDATE videos SET state = 'ready' WHERE video_id = 'made ready'")
    record_failure(database, "gone", Removed("The media is gone."))
    assert daemon.tick() == ["waiting"]


def test_tick_runs_at_most_fifty(database: Database, daemon: Daemon) -> None:
    for number in range(120):
        known(database, f"v{number:03}", retry_at=ago())
    ticks = [daemon.tick() for _ in range(4)]
    assert [len(started) for started in ticks] == [50, 50, 20, 0]
    assert len(set(daemon.runs.values())) == 120


def test_runs_have_priority_source_and_no_secret(database: Database, daemon: Daemon) -> None:
    source = f"https://podcast.example/feed.xml?token={SECRET}"
    known(database, source=source, retry_at=ago())
    answer = retries(build_sensor_context(daemon.instance))
    assert isinstance(answer, SensorResult)
    [run] = answer.run_requests or []
    assert run.tags["dagster/priority"] == "5"
    assert run.tags["earshot/source"].startswith("https://podcast.example/feed.xml")
    assert SECRET not in f"{run} {answer.cursor}"
    assert run.job_name == "ingest_video"
