"""Waiting for a slot of a pool: a run that may not compute yet looks again after a tenth of its waiting, and sleeps between.

Dagster's own wait, in the process of a run, never sleeps: it takes the least of 0 and the seconds that are left, and so keeps a
core busy for as long as another video computes (dagster 1.13's `interval_to_next_pending_claim_check`; its pull request 20367,
closed without being merged, says the same). And it looks ever less often, up to every 15 s, while a slot that has become free
is already kept for it and nobody computes. `patch_pool_polling()` replaces both; it is called where the definitions are loaded.

Who gets a slot, and in which order, is Dagster's.
"""

import time

from dagster._core.execution.plan import instance_concurrency_context
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

FIRST_LOOK_S = 0.05
MOST_S = 0.5
LONGER = 1.1  # each wait than the one before: at most a tenth of the waiting is lost after the slot was freed


def patch_pool_polling() -> None:
    """From here on no run of this process waits awake."""
    instance_concurrency_context._calculate_timeout_interval = _seconds_between_looks
    InstanceConcurrencyContext.interval_to_next_pending_claim_check = _seconds_to_next_look


def _seconds_to_next_look(self: InstanceConcurrencyContext) -> float:
    left = [due - time.time() for due in self._pending_timeouts.values()]
    return max(0.0, min(left, default=0.0))


def _seconds_between_looks(sleep_interval: float | None, looks: int) -> float:  # noqa: ARG001 - Postgres asks for none
    """After so many looks."""
    return min(MOST_S, FIRST_LOOK_S * LONGER**looks)
