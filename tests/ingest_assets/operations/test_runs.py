"""Dead runs: their lock is free, and they have not ended meanwhile."""

import time

import pytest
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter, job

from earshot.storage.database import Database
from ingest_assets.operations import runs
from ingest_assets.operations.runs import LOCKED_FIRST_TAG, end_dead_runs


@job
def does_nothing() -> None: ...


def test_run_that_ends_during_the_check_is_not_failed(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(does_nothing, status=DagsterRunStatus.STARTED, tags={LOCKED_FIRST_TAG: "true"})

    def ended_meanwhile(_url: str, _name: str) -> bool:
        instance.report_run_canceled(run)
        return False

    monkeypatch.setattr(runs, "is_held_elsewhere", ended_meanwhile)
    assert run.run_id not in end_dead_runs(instance, database)
    assert [kept.status for kept in instance.get_runs(RunsFilter([run.run_id]))] == [DagsterRunStatus.CANCELED]


@pytest.mark.parametrize(("ahead_s", "is_dead"), [(0.0, False), (3600.0, True)])
def test_run_without_a_lock_is_dead_if_a_clock_that_was_ahead_started_it(
    instance: DagsterInstance, database: Database, ahead_s: float, is_dead: bool
) -> None:
    run = instance.create_run_for_job(does_nothing, status=DagsterRunStatus.STARTED)
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    assert runs._is_dead(record._replace(start_time=time.time() + ahead_s), database) is is_dead
    instance.delete_run(run.run_id)
