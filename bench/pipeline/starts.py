"""Starts: the same recording by a process that has just begun, and again by the same process, warm.

A process is begun anew each time, in a home whose database runs and whose models are put together: what every `earshot ingest`
pays and a worker of `earshot up` pays once. `begin_s` is from the process' start until Earshot can be called (Python, Dagster,
and the little that the benchmark imports beside); `load_s` is loading models, with the imports of torch and the like. The
files of all that lie in the operating system's cache: the first process, which also puts the home together, is not told.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.harness.median_range import Spread
from bench.pipeline.ingesting import again
from earshot.cli.output import print_table


@dataclass(frozen=True)
class Start:
    """One process. Seconds; `cold_s` is all of it: beginning, loading and the first video."""

    begin_s: float
    load_s: float
    cold_s: float
    warm_s: float


@dataclass(frozen=True)
class Starts:
    """Several."""

    audio_s: float
    begin_s: Spread
    load_s: Spread
    cold_s: Spread
    warm_s: Spread


def start(recording: Path) -> tuple[float, Start]:
    """Seconds of audio, and what it took. To be called first in a process of its own."""
    begin_s = time.time() - psutil.Process().create_time()
    cold, warm = again(recording), again(recording)
    return cold.audio_s, Start(begin_s, cold.load_s, begin_s + cold.wall_s, warm.wall_s)


def summarize(audio_s: float, found: Sequence[Start]) -> Starts:
    """Their spread."""
    names = ("begin_s", "load_s", "cold_s", "warm_s")
    return Starts(audio_s, *(Spread.over([getattr(each, name) for each in found]) for name in names))


def print_starts(starts: Starts) -> None:
    """One line."""
    headings = [("audio s", "right"), ("begin s", "right"), ("load s", "right"), ("cold s", "right"), ("warm s", "right")]
    figures = (starts.begin_s, starts.load_s, starts.cold_s, starts.warm_s)
    print_table(headings, [(f"{starts.audio_s:.0f}", *(figure.text(1) for figure in figures))])
