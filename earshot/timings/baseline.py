"""The baseline rule: is this stage slower than it was, beyond what its own spread explains? A pure function.

What is compared is seconds per unit of work (`Cost`), in logarithms, with the last WINDOW comparable videos that were not
flagged themselves; so a slowness that stays is flagged until it is mended or accepted, and does not become the new normal.

A video is slower when its ratio to the median is at least WARN_RATIO and its distance at least SINGLE_SPREADS of the spread
(median absolute deviation over the last SPREAD_WINDOW, scaled to a standard deviation, never below SMALLEST_SPREAD, widened
where few videos are known); from ERROR_RATIO it is an error. A smaller slowness shows in three videos together: the same with
the mean of the last three and TRIPLE_SPREADS. The two factors were chosen on simulated series
(docs/measurements/regression-drill.md has the table).

Nothing is judged on less than MINIMUM_VIDEOS, nor flagged for less than SLACK_S or SLACK_UNITS units of work: few texts, or a
few seconds of audio, are mostly rounding. A video with less work than any in the baseline is expected to cost what the
smallest would. Why it is slower is not asked here: earshot/timings/causes.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

WINDOW = 20
SPREAD_WINDOW = 60  # a spread takes more videos than a median to be known as well
FEW_VIDEOS = 2.0
MINIMUM_VIDEOS = 5
WARN_RATIO, ERROR_RATIO = 1.3, 2.0
SINGLE_SPREADS, TRIPLE_SPREADS = 3.0, 2.2
SMALLEST_SPREAD = 0.05  # 5 %: timings that agree better do so by chance
MAD_TO_SIGMA = 1.4826  # of a normal distribution
SLACK_S = 0.5
SLACK_UNITS = 4.0


class Level(StrEnum):
    """What became of a judgement; `NOT_EVALUATED` where there was nothing to compare with."""

    NOT_EVALUATED = "unjudged"
    OK = "ok"
    WARN = "warn"
    ERROR = "error"

    @property
    def flagged(self) -> bool:
        return self in (Level.WARN, Level.ERROR)


@dataclass(frozen=True)
class Cost:
    """What some work cost: seconds, for so many units. `flagged` says that it was found too slow when it was new."""

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
    """`ratio` is to `expected_s`, which is the median of `videos` (`unit_s` per unit). `spread` is a share (0.1 is 10 %)."""

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
        level = _together(now, past)
    if now.seconds - expected_s <= max(SLACK_S, SLACK_UNITS * unit_s):
        level = Level.OK
    return Verdict(level, min(len(usual), WINDOW), unit_s, ratio, expected_s, math.expm1(spread))


def _together(now: Cost, past: Sequence[Cost]) -> Level:
    """The last three videos as one, against what was usual before them."""
    before = [cost for cost in past[:-2] if not cost.flagged][-SPREAD_WINDOW:]
    if len(before) < MINIMUM_VIDEOS:
        return Level.OK
    median, spread = _center(before)
    distances = [cost.logarithm - median for cost in (*past[-2:], now)]
    if min(distances) < math.log(WARN_RATIO) / 2:  # one slow video among three was judged when it came
        return Level.OK
    return _level(math.exp(float(np.mean(distances))), TRIPLE_SPREADS * spread)


def _center(usual: Sequence[Cost]) -> tuple[float, float]:
    """Median of the last WINDOW logarithms, and the spread of all of them."""
    logarithms = np.array([cost.logarithm for cost in usual])
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(logarithms - np.median(logarithms))))
    spread = max(deviation, SMALLEST_SPREAD) * (1.0 + FEW_VIDEOS / len(usual))
    return float(np.median(logarithms[-WINDOW:])), spread


def _level(ratio: float, margin: float) -> Level:
    if ratio < WARN_RATIO or math.log(ratio) < margin:
        return Level.OK
    return Level.ERROR if ratio >= ERROR_RATIO else Level.WARN
