"""Runs come from Dagster's own storage, unchanged for every caller; its daemon chooses by priority."""

from collections.abc import Sequence

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter, job
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_postgres import PostgresRunStorage

from resources.instance.dagster_internals import PRIORITY_TAG
from tests.dagster_contract.queued_runs import queue_run

PRIORITIES = ["", "-10", "10", "5", "0", "ten", "10", "-10", "5", ""]
BY_PRIORITY = [2, 6, 3, 8, 0, 4, 5, 9, 1, 7]  # indexes into PRIORITIES; equal priorities in order of arrival
QUEUED = RunsFilter(statuses=[DagsterRunStatus.QUEUED])


@job
def does_nothing() -> None: ...


@pytest.fixture
def queued(instance: DagsterInstance) -> list[str]:
    """A queued run of each priority, in this order."""
    for run in instance.get_runs(RunsFilter(statuses=[*ACTIVE_RUN_STATUSES, DagsterRunStatus.QUEUED])):
        instance.delete_run(run.run_id)
    runs = [queue_run(instance, does_nothing, {PRIORITY_TAG: priority} if priority else {}) for priority in PRIORITIES]
    return [run.run_id for run in runs]


def ids(runs: Sequence[DagsterRun]) -> list[str]:
    return [run.run_id for run in runs]


@pytest.mark.parametrize("limit", [1, 2, 4, 100, None])
@pytest.mark.parametrize("index", [None, 0, 3, 9])
def test_queue_is_paged_in_order_of_arrival(
    instance: DagsterInstance, queued: list[str], index: int | None, limit: int | None
) -> None:
    cursor = None if index is None else queued[index]
    later, earlier = queued[0 if index is None else index + 1 :], queued[:index]
    assert ids(instance.get_runs(QUEUED, cursor, limit, ascending=True)) == later[:limit]
    assert ids(instance.get_runs(QUEUED, cursor, limit)) == earlier[::-1][:limit]


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
@pytest.mark.parametrize("filters", [QUEUED, RunsFilter(statuses=QUEUED.statuses, tags={PRIORITY_TAG: "10"}), None])
def test_answers_equal_dagsters_own(
    instance: DagsterInstance, queued: list[str], filters: RunsFilter | None, limit: int
) -> None:
    own = PostgresRunStorage(instance.run_storage.postgres_url)  # pyright: ignore[reportAttributeAccessIssue]
    for cursor in (None, queued[0], queued[5]):
        for ascending in (True, False):
            arguments = (filters, cursor, limit, None, ascending)
            assert instance.run_storage.get_runs(*arguments) == own.get_runs(*arguments)


@pytest.mark.parametrize("page_size", [1, 3, 100])
def test_daemon_starts_highest_priority_first(
    instance: DagsterInstance, queued: list[str], monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", "none")
    monkeypatch.setenv("EARSHOT_WORKERS", "7")
    daemon = QueuedRunCoordinatorDaemon(1.0, page_size=page_size)
    chosen = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)
    assert ids(chosen) == [queued[index] for index in BY_PRIORITY[:7]]
