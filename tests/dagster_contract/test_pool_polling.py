"""A run that waits for a slot of its pool: a real run, and the slots of the real Postgres."""

import math
import threading
import time
from pathlib import Path

import pytest
import yaml
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunsFilter,
    asset,
    define_asset_job,
    materialize,
)
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from ingest_assets.definitions import defs
from resources.instance.home import GPU_SLOTS, prepare_dagster_home
from resources.instance.pool_polling import FIRST_LOOK_S, LONGER
from tests.dagster_contract.queued_runs import queue_run

POOL = "one_at_a_time"
WAITED_S = 2.0


def test_a_run_that_waits_for_its_slot_sleeps_between_two_looks(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert defs  # by loading them a process learns to sleep
    slots, claim = instance.event_log_storage, InstanceConcurrencyContext.claim
    looks: list[float] = []

    def counted(context: InstanceConcurrencyContext, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        looks.append(time.monotonic())
        return claim(context, concurrency_key, step_key, step_priority)

    def another_computes_for_a_while() -> None:
        while not slots.get_concurrency_info(POOL).pending_steps:
            time.sleep(0.05)
        time.sleep(WAITED_S)
        slots.free_concurrency_slots_for_run("another run")

    @asset(pool=POOL)
    def computes() -> None: ...

    monkeypatch.setattr(InstanceConcurrencyContext, "claim", counted)
    slots.set_concurrency_slots(POOL, 1)
    assert slots.claim_concurrency_slot(POOL, "another run", "step").is_claimed
    other = threading.Thread(target=another_computes_for_a_while)
    other.start()
    assert materialize([computes], instance=instance).success
    other.join()
    waited = looks[-1] - looks[0]
    assert waited > WAITED_S / 2
    assert len(looks) <= 2 + math.log(1 + waited * (LONGER - 1) / FIRST_LOOK_S, LONGER)  # each wait longer than the last
    assert looks[1] - looks[0] < looks[-1] - looks[-2]  # often at first, for what takes a second; seldom for what takes an hour
    assert slots.get_concurrency_info(POOL).claimed_slots == []


def test_a_run_that_must_wait_is_started_beside_one_that_has_just_begun(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", "none")
    monkeypatch.setenv("EARSHOT_WORKERS", "2")
    for run in instance.get_runs(RunsFilter(statuses=[*ACTIVE_RUN_STATUSES, DagsterRunStatus.QUEUED])):
        instance.delete_run(run.run_id)

    @asset(pool=POOL)
    def computes() -> None: ...

    job = Definitions(assets=[computes], jobs=[define_asset_job("computing")]).resolve_job_def("computing")
    slots = instance.event_log_storage
    slots.set_concurrency_slots(POOL, 1)
    begun = instance.create_run_for_job(job)
    instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, job.name), begun.run_id)
    assert slots.claim_concurrency_slot(POOL, begun.run_id, "computes").is_claimed
    waiting, _third = queue_run(instance, job), queue_run(instance, job)
    assert waiting.run_op_concurrency is not None  # Dagster knows that it must wait
    next_runs = QueuedRunCoordinatorDaemon(1.0)._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)
    slots.free_concurrency_slots_for_run(begun.run_id)
    assert [run.run_id for run in next_runs] == [waiting.run_id]


@pytest.mark.parametrize(("device", "slots"), [("cpu", 1), ("cuda", GPU_SLOTS)])
def test_pool_has_as_many_slots_as_the_device_bears(
    home: Path, monkeypatch: pytest.MonkeyPatch, device: str, slots: int
) -> None:
    assert home.exists()
    monkeypatch.setenv("EARSHOT_DEVICE", device)
    configuration = yaml.safe_load((prepare_dagster_home() / "dagster.yaml").read_text())
    assert configuration["concurrency"]["pools"] == {"default_limit": slots, "granularity": "op"}
    monkeypatch.setenv("EARSHOT_DEVICE", "cpu")
    prepare_dagster_home()  # for the tests after this one
