"""The clock of the drill: real model calls and loads advance it, and nothing else does but what a fault adds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from earshot.models import cache, measurement
from earshot.models.machine_load import LoadCounters
from earshot.models.measurement import CallCounter

CALL_S, INPUT_S, LOAD_S = 1.0, 0.05, 10.0
CORES = 4.0


@dataclass
class DrillClock:
    """A clock that only model calls, loads and `wait()` advance.

    `slowness` multiplies the wall seconds of calls and loads, not their CPU seconds; so does having fewer `cores`.
    """

    now: float = 0.0
    cpu_s: float = 0.0
    slowness: float = 1.0
    cores: float = CORES

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds * self.slowness * CORES / self.cores
        self.cpu_s += seconds * CORES

    def wait(self, seconds: float) -> None:
        """Time passes in which the process does nothing."""
        self.now += seconds

    def counters(self) -> LoadCounters:
        """The load of a machine that only this process uses."""
        return LoadCounters({}, busy_s=self.cpu_s, steal_s=0.0, total_s=self.now * CORES)


@contextmanager
def drill_clock() -> Iterator[DrillClock]:
    """Replace the real clocks by the drill's for the block; real model calls and loads advance it."""
    clock = DrillClock()
    count, begin_load = CallCounter.count, cache._begin_load

    def counting(tally: CallCounter, inputs: float, calls: float = 1.0) -> None:
        count(tally, inputs, calls)
        clock.advance(CALL_S * calls + INPUT_S * inputs)

    def loading(*arguments: Any) -> None:
        begin_load(*arguments)
        clock.advance(LOAD_S)

    with (
        patch.object(measurement, "clock", clock),
        patch.object(measurement, "cpu_clock", lambda: clock.cpu_s),
        patch.object(measurement, "load_counters", clock.counters),
        patch.object(CallCounter, "count", counting),
        patch.object(cache, "_begin_load", loading),
    ):
        yield clock
