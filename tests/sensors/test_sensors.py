"""The sensors of failed and of dead runs: the catalogue gets the reason.

Real runs in the session's real instance; the asset that raises stands for a bug.
"""

import pytest
from dagster import (
    AssetsDefinition,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    Failure,
    JobDefinition,
    RunsFilter,
    asset,
    build_run_status_sensor_context,
    build_sensor_context,
    define_asset_job,
    in_process_executor,
)

from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.locks import lock, run_lock
from ingest_assets.definitions import defs
from ingest_assets.operations.runs import CRASH_MESSAGE, GRACE_S, LOCKED_FIRST_TAG
from ingest_assets.partitions import videos
from resources.instance.home import open_instance
from sensors.dead_runs import dead_runs
from sensors.failed_runs import failed_runs
from tests.support.library import stored_video

KEY = "file-sensed"


@asset(partitions_def=videos)
def buggy() -> None:
    raise ZeroDivisionError("a bug")


@asset(partitions_def=videos)
def explained() -> None:
    raise Failure("explained by the stage", allow_retries=False)


@pytest.fixture
def instance(database: Database) -> DagsterInstance:
    opened = open_instance()
    register(database, [Video(KEY, "/somewhere.wav", "/somewhere.wav", "Somewhere")])
    opened.add_dynamic_partitions(str(videos.name), [KEY])
    return opened


def _job(broken: AssetsDefinition) -> JobDefinition:
    job = define_asset_job("breaks", selection=[broken], executor_def=in_process_executor)
    return Definitions(assets=[broken], jobs=[job]).resolve_job_def("breaks")


def _failed_run(instance: DagsterInstance, broken: AssetsDefinition) -> DagsterRun:
    ended = _job(broken).execute_in_process(instance=instance, partition_key=KEY, raise_on_error=False)
    assert not ended.success
    return ended.dagster_run


def _evaluate(instance: DagsterInstance, run: DagsterRun) -> None:
    records = instance.all_logs(run.run_id)
    event = next(e.dagster_event for e in records if e.dagster_event and e.dagster_event.is_run_failure)
    context = build_run_status_sensor_context("failed_runs", event, instance, run)
    failed_runs(context.for_run_failure())


def test_bug_fails_the_video_with_its_message(instance: DagsterInstance, database: Database) -> None:
    _evaluate(instance, _failed_run(instance, buggy))
    video = stored_video(database, KEY)
    assert (video.state, video.last_error) == ("failed", "buggy: ZeroDivisionError: a bug")


def test_error_explained_by_stage_is_kept(instance: DagsterInstance, database: Database) -> None:
    _evaluate(instance, _failed_run(instance, explained))
    video = stored_video(database, KEY)
    assert (video.state, video.attempts, video.last_error) == ("new", 0, None)


def _lost_run(instance: DagsterInstance, status: DagsterRunStatus, **tags: str) -> DagsterRun:
    return instance.create_run_for_job(_job(buggy), tags={"dagster/partition": KEY, **tags}, status=status)


def _status(instance: DagsterInstance, run: DagsterRun) -> DagsterRunStatus:
    return instance.get_runs(RunsFilter(run_ids=[run.run_id]))[0].status


def test_started_run_is_ended_once_its_lock_is_free(instance: DagsterInstance, database: Database) -> None:
    run = _lost_run(instance, DagsterRunStatus.STARTED, **{LOCKED_FIRST_TAG: "true"})
    with lock(database.url, run_lock(run.run_id)):
        pass  # taken and released, as by a process that ended
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == DagsterRunStatus.FAILURE
    video = stored_video(database, KEY)
    assert (video.state, video.last_error) == ("failed", CRASH_MESSAGE)


@pytest.mark.parametrize("status", GRACE_S)
def test_unlocked_run_is_ended_after_grace(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, status: DagsterRunStatus
) -> None:
    run = _lost_run(instance, status)
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == status
    monkeypatch.setitem(GRACE_S, status, 0.0)
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == DagsterRunStatus.FAILURE


def test_every_sensor_schedule_and_job_is_described() -> None:
    repository = defs.get_repository_def()
    parts = [*repository.sensor_defs, *repository.schedule_defs, *map(repository.get_job, repository.job_names)]
    undescribed = [part.name for part in parts if not part.description and not part.name.startswith("__")]
    assert undescribed == []
    assert len(repository.sensor_defs) == 10
