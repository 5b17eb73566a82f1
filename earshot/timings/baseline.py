"""The baseline rule: decides whether a stage has become slower by more than its usual spread. A pure function.

It compares the logarithm of seconds per unit of work (`Cost`) with the last WINDOW comparable videos that were not flagged.
Flagged videos never enter the baseline, so a lasting slowdown stays flagged until it is fixed or accepted.

A video is flagged if its ratio to the median is at least WARN_RATIO and its distance at least SINGLE_SPREADS times the spread
(median absolute deviation over the last SPREAD_WINDOW, scaled to a standard deviation, at least SMALLEST_SPREAD, widened if
there are few videos); from ERROR_RATIO on it is an error. The same rule with the mean of the last three videos and
TRIPLE_SPREADS detects smaller slowdowns. Both factors were chosen on simulated series (table in
docs/measurements/regression-drill.md).

There is no verdict with fewer than MINIMUM_VIDEOS, and no flag for an excess below SLACK_S or SLACK_UNITS units of work: the
cost of a few texts or seconds of audio is mostly rounding. A video with less work than any in the baseline is expected to cost
as much as the smallest one. earshot/timings/causes.py looks for the reason.
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
SLACK_S = 0.5
SLACK_UNITS = 4.0


class Level(StrEnum):
    """The result of a judgement; `NOT_EVALUATED` without enough timings to compare with."""

    NOT_EVALUATED = "unjudged"
    OK = "ok"
    WARN = "warn"
    ERROR = "error"

    @property
    def flagged(self) -> bool:
        return self in (Level.WARN, Level.ERROR)


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


def judge(now: Cost, history: Sequence[Cost]) -> Verdict:
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
    if now.seconds - expected_s <= max(SLACK_S, SLACK_UNITS * unit_s):
        level = Level.OK
    return Verdict(level, min(len(usual), WINDOW), unit_s, ratio, expected_s, math.expm1(spread))


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
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(logarithms - np.median(logarithms))))
    spread = max(deviation, SMALLEST_SPREAD) * (1.0 + FEW_VIDEOS / len(usual))
    return float(np.median(logarithms[-WINDOW:])), spread


def _level(ratio: float, margin: float) -> Level:
    if ratio < WARN_RATIO or math.log(ratio) < margin:
        return Level.OK
    return Level.ERROR if ratio >= ERROR_RATIO else Level.WARN
