"""Starts: the same recording by a fresh process, and again by the same process when it is warm.

Each process starts in a home with a running database and assembled models: a cost that every `earshot ingest` pays, and a
worker of `earshot up` pays once. `begin_s` is from the process's start until Earshot can be called (Python, Dagster, and the
benchmark's own few imports); `load_s` is loading models, with imports such as torch. All files are in the operating system's
cache: the first process, which also prepares the home, is not counted.
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
    """One process, in seconds. `cold_s` is everything: beginning, loading and the first video."""

    begin_s: float
    load_s: float
    cold_s: float
    warm_s: float


@dataclass(frozen=True)
class Starts:
    """Several processes."""

    audio_s: float
    begin_s: Spread
    load_s: Spread
    cold_s: Spread
    warm_s: Spread


def start(recording: Path) -> tuple[float, Start]:
    """Seconds of audio, and the process's figures. Must be the first call in its own process."""
    begin_s = time.time() - psutil.Process().create_time()
    cold, warm = again(recording), again(recording)
    return cold.audio_s, Start(begin_s, cold.load_s, begin_s + cold.wall_s, warm.wall_s)


def summarize(audio_s: float, found: Sequence[Start]) -> Starts:
    """The spread over several processes."""
    names = ("begin_s", "load_s", "cold_s", "warm_s")
    return Starts(audio_s, *(Spread.over([getattr(each, name) for each in found]) for name in names))


def print_starts(starts: Starts) -> None:
    """Print one line."""
    headings = [("audio s", "right"), ("begin s", "right"), ("load s", "right"), ("cold s", "right"), ("warm s", "right")]
    figures = (starts.begin_s, starts.load_s, starts.cold_s, starts.warm_s)
    print_table(headings, [(f"{starts.audio_s:.0f}", *(figure.text(1) for figure in figures))])
