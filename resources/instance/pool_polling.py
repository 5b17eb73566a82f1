"""Waiting for a slot of a pool: a run that may not compute yet looks again after a tenth of its waiting, and sleeps between.

Dagster's own wait, in the process of a run, never sleeps: it takes the least of 0 and the seconds that are left, and so keeps a
core busy for as long as another video computes (dagster 1.13's `interval_to_next_pending_claim_check`; its pull request 20367,
closed without being merged, says the same). And it looks ever less often, up to every 15 s, while a slot that has become free
is already kept for it and nobody computes. `patch_pool_polling()` replaces both, in the Dagster that it was written for.

Nothing is replaced by an import. `patient_executor`, which the jobs have, does it when a run begins, in whatever process; and
`earshot ingest` does, whose runs Dagster gives an executor of its own (ingest_assets/operations/ingest.py).

Who gets a slot, and in which order, is Dagster's.
"""

import logging
import time
from typing import Any, cast

import dagster
from dagster import Executor, ExecutorDefinition, InitExecutorContext, in_process_executor
from dagster._core.execution.plan import instance_concurrency_context
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

WRITTEN_FOR = "1.13.27"  # tests/dagster_contract/test_pool_polling.py says what must still be there in another
FIRST_LOOK_S = 0.05
MOST_S = 0.5
LONGER = 1.1  # each wait than the one before: at most a tenth of the waiting is lost after the slot was freed


def patch_pool_polling() -> None:
    """From here on no run of this process waits awake. Under another Dagster than WRITTEN_FOR they wait as Dagster has it."""
    if dagster.__version__ != WRITTEN_FOR:
        logging.getLogger(__name__).warning(
            "A run that waits for a slot keeps a core busy: its remedy was written for Dagster %s, and this is %s.",
            WRITTEN_FOR,
            dagster.__version__,
        )
        return
    instance_concurrency_context._calculate_timeout_interval = _seconds_between_looks
    InstanceConcurrencyContext.interval_to_next_pending_claim_check = _seconds_to_next_look


def _make_executor(context: InitExecutorContext) -> Executor:
    patch_pool_polling()
    make = in_process_executor.executor_creation_fn
    assert make is not None
    return make(context)


patient_executor = ExecutorDefinition(
    in_process_executor.name,
    cast(Any, in_process_executor.config_schema),  # as it is there: made from what a user writes
    executor_creation_fn=_make_executor,
    description=in_process_executor.description,
)


def _seconds_to_next_look(self: InstanceConcurrencyContext) -> float:
    left = [due - time.time() for due in self._pending_timeouts.values()]
    return max(0.0, min(left, default=0.0))


def _seconds_between_looks(sleep_interval: float | None, looks: int) -> float:  # noqa: ARG001 - Postgres asks for none
    """After so many looks."""
    return min(MOST_S, FIRST_LOOK_S * LONGER**looks)
