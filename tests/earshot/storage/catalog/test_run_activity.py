"""The activity of each video, by Dagster's runs in a real Postgres and the locks of their processes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, job, op

from earshot.cli.library.videos import videos_command
from earshot.config.settings import read_settings
from earshot.storage.catalog.run_activity import Activity, read_activities
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.locks import PARTITION_TAG, run_lock
from earshot.storage.server import server_urls
from tests.dagster_contract.queued_runs import queue_run
from tests.earshot.storage.test_locks import held_by_another

POOL = "tried_here"


@op
def transcript() -> None: ...


@job
def works() -> None:
    transcript()


@pytest.fixture
def runs(instance: DagsterInstance) -> Iterator[DagsterInstance]:
    """The instance, rid of these tests' runs afterwards."""
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    before = {run.run_id for run in instance.get_runs()}
    yield instance
    for run in instance.get_runs():
        if run.run_id not in before:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            instance.delete_run(run.run_id)
    instance.event_log_storage.delete_concurrency_limit(POOL)


def start_run(instance: DagsterInstance, video_id: str, *stages: str) -> DagsterRun:
    """A run over this video that has started these stages."""
    run = instance.create_run_for_job(works, status=DagsterRunStatus.STARTED, tags={PARTITION_TAG: video_id})
    for stage in stages:
        started = DagsterEvent(DagsterEventType.STEP_START.value, works.name, step_key=stage)
        instance.report_dagster_event(started, run.run_id)
    return run


@contextmanager
def running_and_waiting(instance: DagsterInstance, database: Database, running: str, waiting: str) -> Iterator[None]:
    """A run over the first video has the only slot for its transcript, a run over the second waits for it."""
    first, second = start_run(instance, running, "transcript"), start_run(instance, waiting, "audio")
    for run in (first, second):
        instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "transcript")
    with held_by_another(database, run_lock(first.run_id)), held_by_another(database, run_lock(second.run_id)):
        yield


def activities() -> dict[str, Activity]:
    return read_activities(server_urls(read_settings()))


def test_queued_run_is_queued(runs: DagsterInstance) -> None:
    queue_run(runs, works, {PARTITION_TAG: "a"})
    queue_run(runs, works)
    assert activities() == {"a": Activity("queued")}


def test_running_run_has_its_last_started_stage(runs: DagsterInstance, database: Database) -> None:
    run = start_run(runs, "a", "audio", "transcript")
    with held_by_another(database, run_lock(run.run_id)):
        assert activities() == {"a": Activity("running", "transcript")}


def test_run_waiting_for_a_slot_has_its_stage(runs: DagsterInstance, database: Database) -> None:
    with running_and_waiting(runs, database, "a", "b"):
        assert activities() == {"a": Activity("running", "transcript"), "b": Activity("waiting", "transcript")}


def test_run_of_dead_process_is_inactive(runs: DagsterInstance) -> None:
    start_run(runs, "a", "transcript")
    assert activities() == {}


def test_ended_run_is_inactive(runs: DagsterInstance) -> None:
    runs.report_run_failed(start_run(runs, "a", "transcript"))
    assert activities() == {}


def test_videos_shows_activity_and_keeps_states(runs: DagsterInstance, database: Database) -> None:
    register(database, [Video(key, f"/{key}", "/", key) for key in ("fresh", "queued", "again")])
    database.query("UPDATE videos SET state = 'ready' WHERE video_id = 'again'")
    for key in ("queued", "again"):
        queue_run(runs, works, {PARTITION_TAG: key})
    listed = json.loads(CliRunner().invoke(videos_command, ["--json"], catch_exceptions=False).stdout)
    assert {row["video_id"]: (row["state"], row["run"], row["stage"]) for row in listed} == {
        "fresh": ("new", None, None),
        "queued": ("new", "queued", None),
        "again": ("ready", "queued", None),
    }
    shown = CliRunner().invoke(videos_command, catch_exceptions=False).stdout
    assert {line.split()[0]: line.split("  ")[1].strip() for line in shown.splitlines()[1:]} == {
        "fresh": "new",
        "queued": "queued",
        "again": "ready, queued",
    }


def keys_in(state: str) -> list[str]:
    """The keys that `--state` prints, as text and as JSON alike."""
    listed = json.loads(CliRunner().invoke(videos_command, ["--json", "--state", state], catch_exceptions=False).stdout)
    shown = CliRunner().invoke(videos_command, ["--state", state], catch_exceptions=False).stdout
    keys = [row["video_id"] for row in listed]
    assert [line.split()[0] for line in shown.splitlines()[1:]] == keys
    return keys


def test_state_filter_takes_every_state_that_videos_prints(runs: DagsterInstance, database: Database) -> None:
    register(database, [Video(key, f"/{key}", "/", key) for key in ("again", "fresh", "queued", "runs", "waits")])
    database.query("UPDATE videos SET state = 'ready' WHERE video_id = 'again'")
    for key in ("queued", "again"):
        queue_run(runs, works, {PARTITION_TAG: key})
    with running_and_waiting(runs, database, "runs", "waits"):
        assert (keys_in("queued"), keys_in("running"), keys_in("waiting")) == (["again", "queued"], ["runs"], ["waits"])
        assert (keys_in("ready"), keys_in("new")) == (["again"], ["fresh", "queued", "runs", "waits"])


def test_state_filter_without_match_says_so(runs: DagsterInstance, database: Database) -> None:
    register(database, [Video("fresh", "/fresh", "/", "fresh")])
    assert runs
    assert CliRunner().invoke(videos_command, ["--state", "running"]).stdout == "No video is running.\n"
