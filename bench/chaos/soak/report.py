"""A soak's report: a table of its curves, and the file of its figures."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.chaos.soak.soak import Record
from bench.chaos.soak.trends import MUST_BE_FLAT, Points, Trend, growing, thinned, trends
from bench.harness.figures import measured_on, write
from earshot.cli.output import print_table
from earshot.models.device import cpu_name

KEPT_POINTS = 45
LARGEST = 8  # tables that are kept of each measure
ALWAYS = ("disk", "file", "load", "videos", "restarts", "ticks", *MUST_BE_FLAT)  # first words of curves that are kept
TABLES = ("rows", "table")
HEADINGS = [
    ("curve", "left"),
    ("level", "right"),
    ("growth", "right"),
    ("an hour", "right"),
    ("surely", "right"),
    ("a video", "right"),
    ("", "left"),
]


def document(record: Record) -> dict[str, Any]:
    """What is kept of a soak: its trends, and its curves at KEPT_POINTS times."""
    curves = kept_curves(record.curves)
    found = trends(curves)
    last_s = max(points[-1][0] for points in curves.values())
    times_s = [round(last_s * (number + 1) / KEPT_POINTS) for number in range(KEPT_POINTS)]
    return {
        "plan": asdict(record.plan),
        "videos": record.videos,
        "unfinished": record.unfinished,
        "restarts_of_up": record.restarts,
        "reads": record.reads,
        "failed_reads": record.failed_reads,
        "growing": sorted(growing(found)),
        "trends": {name: [_short(value) for value in asdict(trend).values()] for name, trend in sorted(found.items())},
        "at_s": times_s,
        "curves": {name: thinned(points, times_s) for name, points in sorted(curves.items())},
    }


def kept_curves(curves: Mapping[str, Points]) -> dict[str, Points]:
    """All but those of small tables."""
    kept = {name for name in curves if name.split()[0] in ALWAYS}
    for measure in TABLES:
        of_measure = [name for name in curves if name.split()[0] == measure]
        kept |= set(sorted(of_measure, key=lambda name: curves[name][-1][1])[-LARGEST:])
    return {name: curves[name] for name in kept}


def print_report(record: Record) -> None:
    """Print the second half of each curve, and what grows that must not."""
    found = trends(kept_curves(record.curves))
    videos = found.get("videos")
    print_table(HEADINGS, [_row(name, trend, videos) for name, trend in sorted(found.items())])
    print(f"{record.videos} videos published, {len(record.unfinished)} not searchable.")
    print(f"`up` was started {record.restarts} times again.")
    print(f"{record.reads} reads of the page, {len(record.failed_reads)} failed.")
    for failure in record.failed_reads:
        print(f"FAILED {failure}")
    for name, trend in growing(found).items():
        print(f"GROWS {name}: by {trend.per_hour:.3g} an hour, by {trend.per_day:.3g} a day")


def store(record: Record) -> Path:
    """Write the figures to bench/results; returns the path."""
    kind = "soak" if record.plan.speed == 1 else "soak-day"
    return write({**measured_on(cpu_name()), **document(record)}, f"chaos/{kind}-")


def _row(name: str, trend: Trend, videos: Trend | None) -> list[str]:
    a_video = (
        f"{trend.per_hour / videos.per_hour:.3g}" if videos and videos.per_hour and name.split()[0] not in MUST_BE_FLAT else ""
    )
    numbers = [f"{value:.3g}" for value in (trend.level, trend.growth, trend.per_hour)]
    return [name, *numbers, f"{trend.low:.3g} to {trend.high:.3g}", a_video, "grows" if trend.grows else "flat"]


def _short(value: float | bool) -> float | bool:
    return value if isinstance(value, bool) else float(f"{value:.4g}")
