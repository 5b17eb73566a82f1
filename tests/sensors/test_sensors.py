"""Sensors: a run that failed without a word, or whose process died, leaves its reason in the catalogue.

Real runs in the session's real instance; the asset that breaks stands in for a bug.
"""

import pytest
from dagster import (
    AssetsDefinition,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    Failure,
    RunsFilter,
    asset,
    build_run_status_sensor_context,
    build_sensor_context,
    define_asset_job,
    in_process_executor,
)

from earshot.storage.catalog.videos import Video, get_video, register
from earshot.storage.database import Database
from earshot.storage.locks import lock, run_lock
from ingest_assets.definitions import defs
from ingest_assets.operations.runs import CRASH_MESSAGE, GRACE_S, LOCKED_FIRST_TAG
from ingest_assets.partitions import videos
from resources.instance.home import open_instance
from sensors.dead_runs import dead_runs
from sensors.failed_runs import failed_runs

KEY = "file-sensed"


@asset(partitions_def=videos)
def buggy() -> None:
    raise ZeroDivisionError("a bug nobody thought of")


@asset(partitions_def=videos)
def explained() -> None:
    raise Failure("said by the stage itself", allow_retries=False)


@pytest.fixture
def instance(database: Database) -> DagsterInstance:
    opened = open_instance()
    register(database, [Video(KEY, "/somewhere.wav", "/somewhere.wav", "Somewhere")])
    opened.add_dynamic_partitions(str(videos.name), [KEY])
    return opened


def _failed_run(instance: DagsterInstance, broken: AssetsDefinition, **tags: str) -> DagsterRun:
    job = define_asset_job("breaks", selection=[broken], executor_def=in_process_executor)
    resolved = Definitions(assets=[broken], jobs=[job]).resolve_job_def("breaks")
    ended = resolved.execute_in_process(
        instance=instance, partition_key=KEY, raise_on_error=False, tags={key.replace("__", "/"): tags[key] for key in tags}
    )
    assert not ended.success
    return ended.dagster_run


def _evaluate(instance: DagsterInstance, run: DagsterRun) -> None:
    records = instance.all_logs(run.run_id)
    event = next(e.dagster_event for e in records if e.dagster_event and e.dagster_event.is_run_failure)
    context = build_run_status_sensor_context("failed_runs", event, instance, run)
    failed_runs(context.for_run_failure())


def test_a_bug_leaves_its_message_and_the_state_failed(instance: DagsterInstance, database: Database) -> None:
    _evaluate(instance, _failed_run(instance, buggy))
    video = get_video(database, KEY)
    assert video is not None
    assert video.state == "failed"
    assert "buggy" in (video.last_error or "")


def test_what_a_stage_explained_itself_is_not_written_over(instance: DagsterInstance, database: Database) -> None:
    _evaluate(instance, _failed_run(instance, explained))
    video = get_video(database, KEY)
    assert video is not None
    assert (video.state, video.attempts, video.last_error) == ("new", 0, None)


def _lost_run(instance: DagsterInstance, status: DagsterRunStatus, **tags: str) -> DagsterRun:
    return instance.create_run_for_job(
        Definitions(
            assets=[buggy], jobs=[define_asset_job("breaks", selection=[buggy], executor_def=in_process_executor)]
        ).resolve_job_def("breaks"),
        tags={"dagster/partition": KEY, **tags},
        status=status,
    )


def _status(instance: DagsterInstance, run: DagsterRun) -> DagsterRunStatus:
    return instance.get_runs(RunsFilter(run_ids=[run.run_id]))[0].status


def test_started_run_is_ended_once_its_lock_is_free(instance: DagsterInstance, database: Database) -> None:
    run = _lost_run(instance, DagsterRunStatus.STARTED, **{LOCKED_FIRST_TAG: "true"})
    with lock(database.url, run_lock(run.run_id)):
        pass  # taken and given back: as a process that ended
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == DagsterRunStatus.FAILURE
    video = get_video(database, KEY)
    assert video is not None
    assert (video.state, video.last_error) == ("failed", CRASH_MESSAGE)


@pytest.mark.parametrize("status", GRACE_S)
def test_run_killed_before_it_took_its_lock_is_ended_after_grace(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, status: DagsterRunStatus
) -> None:
    run = _lost_run(instance, status)
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == status
    monkeypatch.setitem(GRACE_S, status, 0.0)
    dead_runs(build_sensor_context(instance))
    assert _status(instance, run) == DagsterRunStatus.FAILURE


def test_everything_that_runs_by_itself_is_described() -> None:
    repository = defs.get_repository_def()
    parts = [*repository.sensor_defs, *repository.schedule_defs, *map(repository.get_job, repository.job_names)]
    undescribed = [part.name for part in parts if not part.description and not part.name.startswith("__")]
    assert undescribed == []
    assert len(repository.sensor_defs) == 8
