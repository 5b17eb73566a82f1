"""A real run that waits for a slot of its pool, in the real Postgres."""

import math
import subprocess
import sys
import threading
import time
from collections import defaultdict

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


def test_wait_ends_when_the_clock_is_set_back() -> None:
    patch_pool_polling()
    waiting = InstanceConcurrencyContext.__new__(InstanceConcurrencyContext)
    waiting._pending_timeouts = defaultdict(float, {"step": time.time() + 3600.0, "other": time.time() + 3601.0})
    assert waiting.interval_to_next_pending_claim_check() == 0.0
    assert all(due <= time.time() for due in waiting._pending_timeouts.values())


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has only imported things."""
    monkeypatch.setattr(polling, "_calculate_timeout_interval", dagsters_own)
    monkeypatch.setattr(InstanceConcurrencyContext, "interval_to_next_pending_claim_check", dagsters_own)


def dagsters_own(*_: object) -> float:
    return 0.0


@job(executor_def=patient_executor)
def does_nothing() -> None: ...


def test_import_leaves_dagsters_functions_unpatched() -> None:
    ended = subprocess.run([sys.executable, "-c", PRIVATE], check=True, capture_output=True, text=True, cwd=PROJECT_ROOT)
    assert ended.stdout.splitlines() == [
        "dagster._core.execution.plan.instance_concurrency_context sleep_interval, pending_claim_count",
        "dagster._core.execution.plan.instance_concurrency_context self",
        "True",
        "True",
    ]


def test_dagster_is_the_version_patched() -> None:
    assert dagster.__version__ == WRITTEN_FOR, "see whether a waiting run still needs the patch, then change WRITTEN_FOR"


@pytest.mark.usefixtures("unpatched")
def test_other_dagster_versions_stay_unpatched(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(dagster, "__version__", "1.99.0")
    patch_pool_polling()
    assert polling._calculate_timeout_interval is dagsters_own
    assert f"was written for Dagster {WRITTEN_FOR}, and this is 1.99.0" in caplog.text


@pytest.mark.usefixtures("unpatched")
def test_launched_run_is_patched(instance: DagsterInstance) -> None:
    assert execute_job(reconstructable(does_nothing), instance).success
    assert polling._calculate_timeout_interval is not dagsters_own
    assert InstanceConcurrencyContext.interval_to_next_pending_claim_check is not dagsters_own


def test_every_job_has_the_patient_executor() -> None:
    assert {job.executor_def for job in defs.get_repository_def().get_all_jobs()} == {patient_executor}


def test_polling_backs_off() -> None:
    patch_pool_polling()
    waits = [polling._calculate_timeout_interval(None, claims) for claims in range(100)]
    assert (waits[0], waits[-1]) == (FIRST_LOOK_S, MOST_S)
    assert waits == sorted(waits)


def test_waiting_run_sleeps_between_claims(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    patch_pool_polling()
    slots, claim = instance.event_log_storage, InstanceConcurrencyContext.claim
    claims: list[float] = []

    def counted(context: InstanceConcurrencyContext, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        claims.append(time.monotonic())
        return claim(context, concurrency_key, step_key, step_priority)

    def free_the_slot_later() -> None:
        while len(claims) < 2:  # the first was refused
            time.sleep(0.05)
        time.sleep(WAITED_S)
        slots.free_concurrency_slots_for_run("another run")

    @asset(pool=POOL)
    def computes() -> None: ...

    monkeypatch.setattr(InstanceConcurrencyContext, "claim", counted)
    slots.set_concurrency_slots(POOL, 1)
    assert slots.claim_concurrency_slot(POOL, "another run", "step").is_claimed
    other = threading.Thread(target=free_the_slot_later)
    other.start()
    assert materialize([computes], instance=instance).success
    other.join()
    waited = claims[-1] - claims[0]
    assert waited > WAITED_S / 2
    assert len(claims) <= 2 + math.log(1 + waited * (LONGER - 1) / FIRST_LOOK_S, LONGER)  # each wait longer than the last
    assert slots.get_concurrency_info(POOL).claimed_slots == []


def test_waiting_run_is_started_beside_a_new_one(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
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
@pytest.mark.usefixtures("home")
def test_pool_slots_depend_on_the_device(monkeypatch: pytest.MonkeyPatch, device: str, slots: int) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", device)
    configuration = yaml.safe_load((prepare_dagster_home() / "dagster.yaml").read_text())
    assert configuration["concurrency"]["pools"] == {"default_limit": slots, "granularity": "op"}
    monkeypatch.setenv("EARSHOT_DEVICE", "cpu")
    prepare_dagster_home()  # for the tests after this one
