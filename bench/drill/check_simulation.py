"""The regression check on simulated series of all stages: false alarms, and missed slowdowns.

`python -m bench.drill.check_simulation` prints the tables in docs/measurements/regression-drill.md. A series is a channel of
short, mixed or long recordings, on a quiet or a busy machine. Each stage has the costs and spreads that were measured on two
cores with `whisper-base` and the bundled diarization. On the busy machine, other work comes and goes, and a stage takes about
twice as long meanwhile. Seeds are fixed, so that it prints the same everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from earshot.storage.catalog.stages import STAGES
from earshot.timings.baseline import SPREAD_WINDOW, Level
from earshot.timings.causes.computing import MACHINE_BUSY
from earshot.timings.history import RECENT, SPEED, WAITING, Follow, History, Past
from earshot.timings.judgement import Judgement, evaluate
from earshot.timings.timing import KEYS, TEXT_KEYS, Timing

HEALTHY_VIDEOS = 30
FAULTY_VIDEOS = 3
MOVED_VIDEOS = 15
VIDEOS_A_DAY = 100
STORE_S = 6.0
CORES = 2.0
# The busy machine: the chance that other work begins or ends before a video, and how much longer a stage takes meanwhile.
BEGINS, ENDS = 0.03, 0.08
BUSY_FACTOR, BUSY_SPREAD = 1.9, 0.25
WAITING_SHARE = 0.8  # of the lost time; for the rest, shared caches make the same work take more CPU seconds
# Lengths in seconds, log-uniform.
SERIES = {"short": (20.0, 60.0), "mixed": (20.0, 7200.0), "long": (1200.0, 10800.0)}


@dataclass(frozen=True)
class Costs:
    """What a stage of a recording costs: an input for each `input_s` of audio, and seconds. Spreads are of logarithms."""

    input_s: float
    unit_s: float
    fixed_s: float
    spread: float
    io_s: float
    io_per_audio_s: float
    io_spread: float
    inputs_spread: float = 0.0


COSTS = dict(
    zip(
        STAGES,
        (
            Costs(1.0, 0.001, 0.03, 0.25, 0.08, 0.0005, 0.6),
            Costs(30.0, 4.4, 0.05, 0.11, 0.02, 0.0001, 0.6),
            Costs(2.0, 0.165, 0.05, 0.11, 0.02, 0.0001, 0.6),
            Costs(3.0, 0.09, 0.30, 0.20, 0.03, 0.0001, 0.6, 0.3),
            Costs(7.0, 0.006, 0.04, 0.25, 0.02, 0.0001, 0.6, 0.3),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Fault:
    """Computing takes `factor` times as long, and reading `delay_s` longer."""

    factor: float = 1.0
    delay_s: float = 0.0


HEALTHY, TWICE, LATE_STORE = Fault(), Fault(factor=2.0), Fault(delay_s=STORE_S)


@dataclass
class Machine:
    """A machine on which other work comes and goes, if it is `shared`."""

    random: np.random.Generator
    shared: bool
    busy: bool = False

    def factor(self) -> float:
        """How much longer the next stage takes."""
        if self.shared and self.random.random() < (ENDS if self.busy else BEGINS):
            self.busy = not self.busy
        return float(np.exp(self.random.normal(np.log(BUSY_FACTOR), BUSY_SPREAD))) if self.busy else 1.0


def simulated(costs: Costs, audio_s: float, machine: Machine, fault: Fault = HEALTHY) -> Timing:
    """The timing of a stage of one recording."""
    random, lost = machine.random, max(0.0, machine.factor() - 1.0)
    inputs = np.ceil(audio_s / costs.input_s * np.exp(random.normal(0.0, costs.inputs_spread)))
    quiet_s = (costs.fixed_s + costs.unit_s * inputs) * fault.factor * float(np.exp(random.normal(0.0, costs.spread)))
    waited_s, computed_s = quiet_s * lost * WAITING_SHARE, quiet_s * (1.0 + lost)
    io_s = (costs.io_s + costs.io_per_audio_s * audio_s) * float(np.exp(random.normal(0.0, costs.io_spread))) + fault.delay_s
    figures = {
        "audio_s": audio_s, "wall_s": computed_s + io_s, "compute_s": computed_s, "io_s": io_s, "inputs": float(inputs),
        "cpu_s": (computed_s - waited_s) * CORES, "cpu_wait_s": waited_s * CORES, "cpu_busy": 1.0 if machine.busy else 0.8,
        "cpu_others": 0.5 if machine.busy else 0.0, "cpu_steal": 0.0, "load_average": 4.0 if machine.busy else 2.0,
        "batch_mean": 1.0, "device": "cpu", "device_asked": "cpu",
    }  # fmt: skip
    return Timing(**{**dict.fromkeys(KEYS, 0.0), **dict.fromkeys(TEXT_KEYS, ""), "gpu_util_mean": None, **figures})


def lengths(random: np.random.Generator, series: str, videos: int) -> np.ndarray:
    """The lengths of a channel's recordings."""
    low, high = SERIES[series]
    return np.exp(random.uniform(np.log(low), np.log(high), videos))


@dataclass
class Library:
    """The timings of a stage so far, where its baselines followed, and when it was last reported as slowed by the machine."""

    past: tuple[Past, ...] = ()
    follows: dict[str, Follow] = field(default_factory=dict)
    reported: int | None = None
    videos: int = 0

    def add(self, stage: str, now: Timing) -> Judgement:
        """Judge a timing and keep it, as a stage does."""
        busy = self.reported is not None and self.videos - self.reported < VIDEOS_A_DAY
        examined = evaluate(stage, now, replace(self._history(), busy_reported=busy), ())
        if examined.follow:
            self.follows[examined.follow.verdict] = examined.follow
        self.keep(now, examined.speed, examined.waiting, examined.cause)
        if examined.findings[-1].cause == MACHINE_BUSY:
            self.reported = self.videos
        return examined

    def keep(self, now: Timing, speed: Level, waiting: Level, cause: str) -> None:
        """Keep a timing that was judged."""
        self.videos += 1
        recorded_at = datetime.min + timedelta(days=self.videos / VIDEOS_A_DAY)
        self.past += (Past(now, speed, waiting, cause, ("code",), self.videos, recorded_at),)

    def _history(self) -> History:
        """What earshot/timings/history.py reads."""
        followed = self.follows.get(SPEED, Follow(SPEED, 0, 0))
        before = [
            past for past in self.past[:-RECENT] if not past.speed.flagged or followed.after < past.timing_id <= followed.until
        ]
        history = History((*before[-SPREAD_WINDOW:], *self.past[-RECENT:]))
        for begin in self.follows.values():
            history = history.following(begin)
        return history


def healthy(seed: int, stage: str, series: str, shared: bool, videos: int) -> Iterator[Level]:
    """The result of the check on each healthy video."""
    random = np.random.default_rng(seed)
    machine, library = Machine(random, shared), Library()
    for audio_s in lengths(random, series, videos):
        yield library.add(stage, simulated(COSTS[stage], float(audio_s), machine)).findings[-1].level


def false_alarms(stage: str, series: str, shared: bool, videos: int = 500) -> tuple[float, float]:
    """The shares of healthy videos that are flagged, and that are errors."""
    levels = list(healthy(0, stage, series, shared, videos))
    return sum(level.flagged for level in levels) / videos, levels.count(Level.ERROR) / videos


def detected(stage: str, series: str, shared: bool, fault: Fault, seeds: int = 60) -> tuple[float, float]:
    """The shares of series in which the fault is flagged on its first video, and within FAULTY_VIDEOS."""
    flagged = [_flags(seed, stage, series, shared, fault) for seed in range(seeds)]
    return sum(flags[0] for flags in flagged) / seeds, sum(any(flags) for flags in flagged) / seeds


def followed(stage: str, series: str, shared: bool, seeds: int = 60) -> float:
    """The share of series in which the baseline of waiting follows a store that stays late, within MOVED_VIDEOS."""
    begun = [_faulty(seed, stage, series, shared, LATE_STORE, MOVED_VIDEOS) for seed in range(seeds)]
    return sum(any(one.follow and one.follow.verdict == WAITING for one in examined) for examined in begun) / seeds


def _flags(seed: int, stage: str, series: str, shared: bool, fault: Fault) -> list[bool]:
    """Whether each video with the fault is flagged."""
    return [one.findings[-1].level.flagged for one in _faulty(seed, stage, series, shared, fault, FAULTY_VIDEOS)]


def _faulty(seed: int, stage: str, series: str, shared: bool, fault: Fault, videos: int) -> list[Judgement]:
    """The judgement on each video with the fault, after healthy ones, during which a busy machine was found and reported."""
    random = np.random.default_rng(seed)
    machine, library, costs = Machine(random, shared), Library(), COSTS[stage]
    for audio_s in lengths(random, series, HEALTHY_VIDEOS):
        now = simulated(costs, float(audio_s), machine)
        level, cause = (Level.WARN, MACHINE_BUSY) if machine.busy else (Level.OK, "")
        library.keep(now, level, Level.OK, cause)
        library.reported = 0 if machine.busy else library.reported
    faulty = [simulated(costs, float(audio_s), machine, fault) for audio_s in lengths(random, series, videos)]
    return [library.add(stage, now) for now in faulty]


COLUMNS = ("stage", "recordings", "flagged", "errors", "2x: first", "within 3", "store: first", "followed")


def main() -> None:
    """Print a table for each machine."""
    for shared in (False, True):
        print("\nBusy machine:\n" if shared else "Quiet machine:\n")
        print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
        for stage in STAGES:
            for series in SERIES:
                flagged, errors = false_alarms(stage, series, shared)
                twice, late = (detected(stage, series, shared, fault) for fault in (TWICE, LATE_STORE))
                found = " | ".join(f"{share:.0%}" for share in (*twice, late[0], followed(stage, series, shared)))
                print(f"| {stage} | {series} | {flagged:.1%} | {errors:.1%} | {found} |", flush=True)


if __name__ == "__main__":
    main()
