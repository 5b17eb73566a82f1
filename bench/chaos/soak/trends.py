"""Which curves are flat, and which grow: a robust line through the second half of each, once everything has warmed up.

A curve grows if its line surely rises by more than its tolerance from the middle to the end. What must be flat is what
processes use and how long things take. Rows, tables and the disk may grow: by so much a video, or until a retention takes its
turn. Times are compared as if the machine's load had always been its median: others may work on it, too. Pure functions over
points (seconds, value).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import theilslopes

Points = Sequence[tuple[float, float]]

HOUR_S, DAY_HOURS = 3600.0, 24.0
SURE = 0.95
FEWEST = 8  # points of a half that a line goes through
SHARE, SHARE_OF_MEMORY = 0.05, 0.02  # of a curve's level: the growth in the second half that is tolerated

# What must be flat, by the first word of a curve's name, and the growth that is tolerated at any level: MiB, numbers, seconds.
MUST_BE_FLAT = {
    "memory": 4.0,
    "files": 3.0,
    "threads": 2.0,
    "processes": 2.0,
    "connections": 2.0,
    "tick": 0.05,
    "iteration": 1.0,
    "answer": 0.05,
    "searchable": 5.0,
    "waiting": 5.0,
}
TIMES = ("tick", "iteration", "answer", "searchable", "waiting")
LOAD, MIN_LOAD = "load", 0.1


@dataclass(frozen=True)
class Trend:
    """The second half of a curve. `level`: its median; `growth`: that of the line, from the middle to the end; an hour's is
    `per_hour`, surely between `low` and `high`."""

    level: float
    growth: float
    per_hour: float
    low: float
    high: float
    grows: bool

    @property
    def per_day(self) -> float:
        return self.per_hour * DAY_HOURS


def trend_of(name: str, points: Points) -> Trend | None:
    """The trend of a curve of this name; None if its second half has too few points."""
    half = second_half(points)
    if len(half) < FEWEST:
        return None
    hours = [at_s / HOUR_S for at_s, _ in half]
    values = [value for _, value in half]
    slope, _, low, high = np.array(theilslopes(values, hours, SURE), dtype=float).tolist()
    level, passed = median(values), hours[-1] - hours[0]
    return Trend(level, slope * passed, slope, low, high, low * passed > tolerance(name, level))


def tolerance(name: str, level: float) -> float:
    """The growth in the second half that a curve of this name and level may have and still be called flat."""
    kind = name.split()[0]
    share = SHARE_OF_MEMORY if kind == "memory" else SHARE
    return max(share * abs(level), MUST_BE_FLAT.get(kind, 0.0))


def second_half(points: Points) -> Points:
    """The points of the second half of the time."""
    if not points:
        return points
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def trends(curves: Mapping[str, Points]) -> dict[str, Trend]:
    """The trend of each curve that has one; of times, at the median load."""
    load = curves.get(LOAD, [])
    found = {
        name: trend_of(name, at_median_load(points, load) if load and name.split()[0] in TIMES else points)
        for name, points in curves.items()
    }
    return {name: trend for name, trend in found.items() if trend is not None}


def at_median_load(points: Points, load: Points) -> Points:
    """The times that these would have been at the median of the load."""
    usual, moments, loads = median(value for _, value in load), [at_s for at_s, _ in load], [value for _, value in load]
    return [(at_s, value * usual / max(MIN_LOAD, float(np.interp(at_s, moments, loads)))) for at_s, value in points]


def growing(found: Mapping[str, Trend]) -> dict[str, Trend]:
    """Those that must be flat, and grow."""
    return {name: trend for name, trend in found.items() if trend.grows and name.split()[0] in MUST_BE_FLAT}


def thinned(points: Points, times_s: Sequence[float]) -> list[float | None]:
    """The median of the points up to each of these times, and after the one before; None where there are none."""
    bins = [
        [value for at_s, value in points if first < at_s <= last]
        for first, last in zip([float("-inf"), *times_s], times_s, strict=False)
    ]
    return [round(median(values), 3) if values else None for values in bins]
