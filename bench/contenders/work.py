"""Work: one side's timings and turns of one recording.

A side is Earshot, its bare model calls, the plain libraries, or another program (bench/contenders/rounds.py). Each returns the
seconds of its stages and its turns, so that speed is never reported without accuracy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from earshot.models.measurement import clock, cpu_clock, synchronise

Result = TypeVar("Result")
Span = tuple[int, int]  # first sample, one past the last
Turn = tuple[float, float, str]  # start and end in seconds, speaker


@dataclass(frozen=True)
class StageWork:
    """One stage of one recording: wall and CPU seconds, and the number of results."""

    asset: str
    seconds: float
    cpu_s: float
    items: int


@dataclass(frozen=True)
class Work:
    """All stages of one recording. `turns` is empty if the side has no diarization."""

    stages: tuple[StageWork, ...]
    turns: tuple[Turn, ...] = ()


class Side(Protocol):
    """A contender with its models loaded. `spans` are a recording's turns and `texts` its passages, as Earshot stored them."""

    name: str

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work: ...


def timed(asset: str, work: Callable[[], Result], items: Callable[[Result], int] = len) -> tuple[Result, StageWork]:
    """The result and its cost; the clock stops when the device is done."""
    synchronise()
    started, cpu_started = clock(), cpu_clock()
    result = work()
    synchronise()
    taken = clock() - started, cpu_clock() - cpu_started
    return result, StageWork(asset, *taken, items(result))
