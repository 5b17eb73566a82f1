"""Which runs are taken for dead: the lock decides, and then whether the run has ended meanwhile."""

import pytest
from dagster import DagsterInstance, DagsterRunStatus, job

from earshot.storage.database import Database
from ingest_assets.operations import runs
from ingest_assets.operations.runs import CRASH_MESSAGE, LOCKED_FIRST_TAG, end_dead_runs


@job
def does_nothing() -> None: ...


@pytest.fixture
def started(instance: DagsterInstance) -> str:
    """A run that has started, and whose lock nobody holds."""
    tags = {LOCKED_FIRST_TAG: "true"}
    return instance.create_run_for_job(does_nothing, status=DagsterRunStatus.STARTED, tags=tags).run_id


def _status(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_that_has_started_and_whose_lock_is_free_is_failed(
    instance: DagsterInstance, database: Database, started: str
) -> None:
    assert end_dead_runs(instance, database) == [started]
    assert _status(instance, started) == DagsterRunStatus.FAILURE
    messages = [entry.dagster_event.message or "" for entry in instance.all_logs(started) if entry.dagster_event]
    assert any(CRASH_MESSAGE in message for message in messages)


def test_run_that_ends_during_the_check_is_not_failed(
    instance: DagsterInstance, database: Database, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended_meanwhile(_url: str, _name: str) -> bool:
        run = instance.get_run_by_id(started)
        assert run is not None
        instance.report_run_canceled(run)
        return False

    monkeypatch.setattr(runs, "is_held_elsewhere", ended_meanwhile)
    assert end_dead_runs(instance, database) == []
    assert _status(instance, started) == DagsterRunStatus.CANCELED
