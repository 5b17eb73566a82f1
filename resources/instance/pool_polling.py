"""Polls for a pool slot with back-off: a waiting step sleeps between its claims.

Dagster's own wait, in the process of a run, never sleeps: it takes the minimum of 0 and the seconds left, and so keeps a core
busy for as long as another video computes (`interval_to_next_pending_claim_check` of dagster 1.13; its pull request 20367,
closed without being merged, says the same). And its claims become rarer, up to 15 s apart, while a free slot is already
reserved for the step and stays idle. `patch_pool_polling()` replaces both, in the version of Dagster that it was written for.

Importing this module patches nothing. `patient_executor`, the executor of all jobs, does so when a run begins, in any process;
`earshot ingest` does so itself, because Dagster gives its runs another executor (ingest_assets/operations/ingest.py).

Does not change which step gets a slot.
"""

import logging
import time
from typing import Any, cast

import dagster
from dagster import Executor, ExecutorDefinition, InitExecutorContext, in_process_executor
from dagster._core.execution.plan import instance_concurrency_context
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

WRITTEN_FOR = "1.13.27"  # before changing it, run tests/dagster_contract/test_pool_polling.py
FIRST_LOOK_S = 0.05
MOST_S = 0.5
LONGER = 1.1  # growth of the pause: at most a tenth of the waiting time is lost after the slot becomes free


def patch_pool_polling() -> None:
    """Make runs of this process sleep while they wait. Only warns under another version of Dagster than WRITTEN_FOR."""
    if dagster.__version__ != WRITTEN_FOR:
        logging.getLogger(__name__).warning(
            "A run that waits for a slot keeps a core busy: its remedy was written for Dagster %s, and this is %s.",
            WRITTEN_FOR,
            dagster.__version__,
        )
        return
    instance_concurrency_context._calculate_timeout_interval = _claim_interval
    InstanceConcurrencyContext.interval_to_next_pending_claim_check = _seconds_to_next_claim


def _make_executor(context: InitExecutorContext) -> Executor:
    patch_pool_polling()
    create = in_process_executor.executor_creation_fn
    assert create is not None
    return create(context)


patient_executor = ExecutorDefinition(
    in_process_executor.name,
    cast(Any, in_process_executor.config_schema),  # already converted, which the constructor accepts too
    executor_creation_fn=_make_executor,
    description=in_process_executor.description,
)


def _seconds_to_next_claim(self: InstanceConcurrencyContext) -> float:
    now = time.time()
    for step, due in self._pending_timeouts.items():
        if due - now > MOST_S:  # the clock was set back
            self._pending_timeouts[step] = now
    left = [due - now for due in self._pending_timeouts.values()]
    return max(0.0, min(left, default=0.0))


def _claim_interval(sleep_interval: float | None, claims: int) -> float:  # noqa: ARG001 - Postgres suggests none
    """Seconds until the next claim, after this many pending ones."""
    return min(MOST_S, FIRST_LOOK_S * LONGER**claims)
