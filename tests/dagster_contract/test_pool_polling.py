"""A run that waits for a slot of its pool: a real run, and the slots of the real Postgres."""

import math
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster
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
    execute_job,
    job,
    materialize,
    reconstructable,
)
from dagster._core.execution.plan import instance_concurrency_context as polling
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from earshot.config.settings import PROJECT_ROOT
from ingest_assets.definitions import defs
from resources.instance.home import GPU_SLOTS, prepare_dagster_home
from resources.instance.pool_polling import FIRST_LOOK_S, LONGER, MOST_S, WRITTEN_FOR, patch_pool_polling, patient_executor
from tests.dagster_contract.queued_runs import queue_run

POOL = "one_at_a_time"
WAITED_S = 2.0


PRIVATE = """
import inspect
import ingest_assets.definitions
from dagster._core.execution.plan import instance_concurrency_context as module
context = module.InstanceConcurrencyContext
for replaced in (module._calculate_timeout_interval, context.interval_to_next_pending_claim_check):
    print(replaced.__module__, ", ".join(inspect.signature(replaced).parameters))
print("_calculate_timeout_interval" in inspect.getsource(context.claim))
print("self._pending_timeouts[step_key] = time.time() +" in inspect.getsource(context.claim))
"""


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has only imported things."""
    monkeypatch.setattr(polling, "_calculate_timeout_interval", dagsters_own)
    monkeypatch.setattr(InstanceConcurrencyContext, "interval_to_next_pending_claim_check", dagsters_own)


def dagsters_own(*_: object) -> float:
    return 0.0


@job(executor_def=patient_executor)
def does_nothing() -> None: ...


def test_dagster_has_the_names_that_are_replaced_and_no_import_replaces_them() -> None:
    told = subprocess.run([sys.executable, "-c", PRIVATE], check=True, capture_output=True, text=True, cwd=PROJECT_ROOT).stdout
    assert told.splitlines() == [
        "dagster._core.execution.plan.instance_concurrency_context sleep_interval, pending_claim_count",
        "dagster._core.execution.plan.instance_concurrency_context self",
        "True",
        "True",
    ]


def test_this_is_the_dagster_that_it_was_written_for() -> None:
    assert dagster.__version__ == WRITTEN_FOR, "see whether a waiting run still needs it, then change WRITTEN_FOR"


@pytest.mark.usefixtures("unpatched")
def test_another_dagster_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(dagster, "__version__", "1.99.0")
    patch_pool_polling()
    assert polling._calculate_timeout_interval is dagsters_own
    assert f"was written for Dagster {WRITTEN_FOR}, and this is 1.99.0" in caplog.text


@pytest.mark.usefixtures("unpatched")
def test_run_that_dagster_launches_sleeps_while_it_waits(instance: DagsterInstance) -> None:
    assert execute_job(reconstructable(does_nothing), instance).success
    assert polling._calculate_timeout_interval is not dagsters_own
    assert InstanceConcurrencyContext.interval_to_next_pending_claim_check is not dagsters_own


def test_every_job_sleeps_while_it_waits() -> None:
    assert {each.executor_def for each in defs.get_repository_def().get_all_jobs()} == {patient_executor}


def test_looks_become_rarer() -> None:
    patch_pool_polling()
    waits = [polling._calculate_timeout_interval(None, looks) for looks in range(100)]
    assert (waits[0], waits[-1]) == (FIRST_LOOK_S, MOST_S)
    assert waits == sorted(waits)


def test_a_run_that_waits_for_its_slot_sleeps_between_two_looks(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_pool_polling()
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

    computing = Definitions(assets=[computes], jobs=[define_asset_job("computing")]).resolve_job_def("computing")
    slots = instance.event_log_storage
    slots.set_concurrency_slots(POOL, 1)
    begun = instance.create_run_for_job(computing)
    instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, computing.name), begun.run_id)
    assert slots.claim_concurrency_slot(POOL, begun.run_id, "computes").is_claimed
    waiting, _third = queue_run(instance, computing), queue_run(instance, computing)
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
