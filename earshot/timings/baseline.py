"""The baseline rule: decides whether seconds grew by more than their usual spread, and by enough to matter. Pure functions.

It compares the logarithm of seconds per unit of work (`Cost`) with the last WINDOW comparable videos that were not flagged.

A video is flagged if its ratio to the median is at least WARN_RATIO, its distance at least SINGLE_SPREADS times the spread
(median absolute deviation over the last SPREAD_WINDOW, scaled to a standard deviation, at least SMALLEST_SPREAD, widened if
there are few videos), and the time lost at least `Stakes.warn_s`. It is an error from ERROR_RATIO and `Stakes.error_s` on. The
same rule with the mean of the last three videos and TRIPLE_SPREADS detects smaller slowdowns. Both factors were chosen on
simulated series (bench/drill/rule_simulation.py; tables in docs/measurements/regression-drill.md).

There is no verdict with fewer than MINIMUM_VIDEOS. A video with less work than any in the baseline is expected to cost as much
as the smallest one. Flagged videos stay out of the baseline, so that a lasting slowdown stays flagged. `is_new_level()` tells
such a slowdown from single slow videos; earshot/timings/judgement.py decides whether the baseline follows it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

WINDOW = 20
SPREAD_WINDOW = 60  # a spread takes more videos to estimate than a median
FEW_VIDEOS = 2.0  # divided by the number of videos, the share by which the spread is widened
MINIMUM_VIDEOS = 5
WARN_RATIO, ERROR_RATIO = 1.3, 2.0
SINGLE_SPREADS, TRIPLE_SPREADS = 3.0, 2.2
SMALLEST_SPREAD = 0.05  # 5 %: closer agreement is chance
MAD_TO_SIGMA = 1.4826  # for a normal distribution
# The lost seconds that matter, and their share of a long recording: in an hour, 1.8 s for a warning and 3.6 s for an error.
WARN_LOST_S, ERROR_LOST_S = 1.0, 3.0
WARN_LOST_SHARE, ERROR_LOST_SHARE = 0.0005, 0.001
NEW_LEVEL_VIDEOS = 10
NEW_LEVEL_EXCEPTIONS = 1  # of them that may have been as fast as before
NEW_LEVEL_SPREAD = 0.2


class Level(StrEnum):
    """The result of a judgement; `NOT_EVALUATED` without enough timings to compare with."""

    NOT_EVALUATED = "unjudged"
    OK = "ok"
    WARN = "warn"
    ERROR = "error"

    @property
    def flagged(self) -> bool:
        return self in (Level.WARN, Level.ERROR)

    @property
    def rank(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True)
class Cost:
    """The seconds spent on some units of work. `flagged`: it was too slow by the baseline of its time."""

    seconds: float
    units: float
    flagged: bool = False

    @property
    def logarithm(self) -> float:
        return math.log(self.seconds / self.units)

    @property
    def measurable(self) -> bool:
        return self.seconds > 0 and self.units > 0


@dataclass(frozen=True)
class Stakes:
    """The seconds that a video may lose before it is a warning, and an error."""

    warn_s: float = WARN_LOST_S
    error_s: float = ERROR_LOST_S

    @classmethod
    def of_video(cls, audio_s: float, allowance_s: float = 0.0) -> "Stakes":
        """Those of a video of this length; `allowance_s` more is never flagged."""
        return cls(
            allowance_s + max(WARN_LOST_S, WARN_LOST_SHARE * audio_s),
            allowance_s + max(ERROR_LOST_S, ERROR_LOST_SHARE * audio_s),
        )


@dataclass(frozen=True)
class Verdict:
    """`ratio` is actual to expected seconds; `expected_s` follows from the median of `videos` (`unit_s` per unit).

    `spread` is a share (0.1 is 10 %).
    """

    level: Level
    videos: int
    unit_s: float = math.nan
    ratio: float = math.nan
    expected_s: float = math.nan
    spread: float = math.nan


def judge(now: Cost, history: Sequence[Cost], stakes: Stakes | None = None) -> Verdict:
    """Whether `now` is slower than the comparable `history`, oldest first."""
    past = [cost for cost in history if cost.measurable]
    usual = [cost for cost in past if not cost.flagged][-SPREAD_WINDOW:]
    if not now.measurable or len(usual) < MINIMUM_VIDEOS:
        return Verdict(Level.NOT_EVALUATED, len(usual))
    median, spread = _center(usual)
    unit_s = math.exp(median)
    expected_s = unit_s * max(now.units, min(cost.units for cost in usual[-WINDOW:]))
    ratio = now.seconds / expected_s
    level = _level(ratio, SINGLE_SPREADS * spread)
    if not level.flagged:
        level = _judge_last_three(now, past)
    level = _milder(level, now.seconds - expected_s, stakes or Stakes())
    return Verdict(level, min(len(usual), WINDOW), unit_s, ratio, expected_s, math.expm1(spread))


def is_new_level(history: Sequence[Cost]) -> bool:
    """Whether the last NEW_LEVEL_VIDEOS were slower than the unflagged ones before them, and agree with each other as well as
    those did, or within NEW_LEVEL_SPREAD."""
    past = [cost for cost in history if cost.measurable]
    last, before = past[-NEW_LEVEL_VIDEOS:], [cost for cost in past[:-NEW_LEVEL_VIDEOS] if not cost.flagged]
    if len(last) < NEW_LEVEL_VIDEOS or len(before) < MINIMUM_VIDEOS:
        return False
    usual = np.array([cost.logarithm for cost in before[-SPREAD_WINDOW:]])
    distances = np.array(sorted(cost.logarithm for cost in last)) - np.median(usual[-WINDOW:])
    slow = distances[NEW_LEVEL_EXCEPTIONS] >= math.log(WARN_RATIO) / 2 and np.median(distances) >= math.log(WARN_RATIO)
    return bool(slow) and _deviation(distances) <= max(NEW_LEVEL_SPREAD, _deviation(usual))


def _judge_last_three(now: Cost, past: Sequence[Cost]) -> Level:
    """The verdict on the mean of the last three videos, against those before them."""
    before = [cost for cost in past[:-2] if not cost.flagged][-SPREAD_WINDOW:]
    if len(before) < MINIMUM_VIDEOS:
        return Level.OK
    median, spread = _center(before)
    distances = [cost.logarithm - median for cost in (*past[-2:], now)]
    if min(distances) < math.log(WARN_RATIO) / 2:  # not all three are slow; a single slow one was judged when it ran
        return Level.OK
    return _level(math.exp(float(np.mean(distances))), TRIPLE_SPREADS * spread)


def _center(usual: Sequence[Cost]) -> tuple[float, float]:
    """The median of the last WINDOW logarithms, and the spread of all."""
    logarithms = np.array([cost.logarithm for cost in usual])
    spread = max(_deviation(logarithms), SMALLEST_SPREAD) * (1.0 + FEW_VIDEOS / len(usual))
    return float(np.median(logarithms[-WINDOW:])), spread


def _deviation(logarithms: np.ndarray) -> float:
    return MAD_TO_SIGMA * float(np.median(np.abs(logarithms - np.median(logarithms))))


def _level(ratio: float, margin: float) -> Level:
    if ratio < WARN_RATIO or math.log(ratio) < margin:
        return Level.OK
    return Level.ERROR if ratio >= ERROR_RATIO else Level.WARN


def _milder(level: Level, lost_s: float, stakes: Stakes) -> Level:
    """The level, lowered if too little time was lost."""
    if not level.flagged or lost_s < stakes.warn_s:
        return Level.OK
    return Level.WARN if lost_s < stakes.error_s else level
