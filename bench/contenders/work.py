"""Work: what one side of the benchmark did with one recording, stage by stage, and with which clock.

A side is Earshot, the same model calls bare, the plain libraries, or another program (bench/contenders/rounds.py). Each leaves
the same: seconds of every stage that it has, and who spoke when, so that speed is never told without what it was bought with.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from earshot.models.measurement import clock, synchronise

Found = TypeVar("Found")
Span = tuple[int, int]  # first sample, one past the last
Turn = tuple[float, float, str]  # from second to second, who


@dataclass(frozen=True)
class StageWork:
    """One stage of one recording: what it took, of every CPU too, and how many results came of it."""

    asset: str
    seconds: float
    cpu_s: float
    items: int


@dataclass(frozen=True)
class Work:
    """All stages of one recording. `turns` are empty where the side does not say who speaks."""

    stages: tuple[StageWork, ...]
    turns: tuple[Turn, ...] = ()


class Side(Protocol):
    """Who is measured, models loaded. `spans` are a recording's turns and `texts` its passages, as Earshot left them."""

    name: str

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work: ...


def timed(asset: str, work: Callable[[], Found], items: Callable[[Found], int] = len) -> tuple[Found, StageWork]:
    """What it gives, and what it took; the clock stops when the device is done."""
    synchronise()
    started, cpu_started = clock(), time.process_time()
    found = work()
    synchronise()
    taken = clock() - started, time.process_time() - cpu_started
    return found, StageWork(asset, *taken, items(found))
