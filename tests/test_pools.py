"""A run that waits for a slot of its pool: a real run, and the slots of the real Postgres."""

import threading
import time

import pytest
from dagster import DagsterInstance, asset, materialize
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

from ingest_assets.definitions import defs
from resources.pools import FIRST_LOOK_S

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
    assert len(looks) <= 2 + waited / FIRST_LOOK_S
    assert looks[1] - looks[0] < looks[-1] - looks[-2]  # often at first, for what takes a second; seldom for what takes an hour
    assert slots.get_concurrency_info(POOL).claimed_slots == []
