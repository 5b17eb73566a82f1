"""Which queued run is next: held against what Dagster's daemon would choose from all of them, in a real Postgres."""

from collections.abc import Sequence

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter, job, op
from dagster._core.storage.tags import PRIORITY_TAG
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_postgres import PostgresRunStorage

from resources.instance.run_storage import QUEUED, EarshotRunStorage
from tests.dagster_contract.queued_runs import queue_run

PRIORITIES = ["", "-10", "10", "5", "0", "ten", "10", "-10", "5", ""]


@op
def nothing() -> None: ...


@job
def does_nothing() -> None:
    nothing()


@pytest.fixture
def queued(instance: DagsterInstance) -> list[str]:
    """Runs of these priorities, one after another, and one that is at work already."""
    for run in instance.get_runs(QUEUED):
        instance.delete_run(run.run_id)
    runs = [queue_run(instance, does_nothing, {PRIORITY_TAG: priority} if priority else {}) for priority in PRIORITIES]
    instance.create_run_for_job(does_nothing, status=DagsterRunStatus.STARTED, tags={PRIORITY_TAG: "99"})
    return [run.run_id for run in runs]


def ids(runs: Sequence[DagsterRun]) -> list[str]:
    return [run.run_id for run in runs]


def test_the_next_are_those_that_the_daemon_would_choose_from_all(instance: DagsterInstance, queued: list[str]) -> None:
    storage = instance.run_storage
    assert isinstance(storage, EarshotRunStorage)
    every = PostgresRunStorage.get_runs(storage, QUEUED, ascending=True)
    assert ids(every) == queued
    chosen = ids(QueuedRunCoordinatorDaemon(1.0)._priority_sort(every))
    assert ids(storage.get_runs(QUEUED, limit=100, ascending=True)) == chosen
    assert ids(storage.get_runs(QUEUED, limit=4, ascending=True)) == chosen[:3]


def test_every_other_question_is_answered_as_by_dagster(instance: DagsterInstance, queued: list[str]) -> None:
    storage = instance.run_storage
    assert ids(storage.get_runs(QUEUED)) == queued[::-1]
    assert ids(storage.get_runs(QUEUED, ascending=True)) == queued
    assert ids(storage.get_runs(QUEUED, cursor=queued[3], limit=3, ascending=True)) == queued[4:7]
    of_ten = RunsFilter(statuses=[DagsterRunStatus.QUEUED], tags={PRIORITY_TAG: "10"})
    assert ids(storage.get_runs(of_ten, limit=5, ascending=True)) == [queued[2], queued[6]]
