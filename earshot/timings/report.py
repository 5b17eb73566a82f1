"""The report: summarizes table `asset_timings` for people. Pure functions over its rows, as dictionaries, oldest first.

`report()` has a row per stage: the sums of `summarize()` over each video's last run of the stage, and figures that need several
runs: share of the work, trend, GPU utilisation, cache hits. `report_table()` formats it as text for the terminal and for
Dagster, so that both show the same figures.

earshot/timings/queries.py reads the rows; earshot/timings/comparison.py compares two versions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

import pandas as pd

from earshot.common.table import Table
from earshot.common.times import format_hms
from earshot.timings.baseline import MINIMUM_VIDEOS, WINDOW
from earshot.timings.causes.computing import billable_s
from earshot.timings.timing import Timing, real_time_factor, times_real_time

Row = dict[str, Any]

SUMMARY_COLUMNS = [
    "videos", "audio_s", "wall_s", "load_s", "compute_s", "rtf", "x_realtime", "items", "items_per_s", "device",
]  # fmt: skip
REPORT_COLUMNS = [*SUMMARY_COLUMNS, "share", "trend", "gpu_util_mean", "cache_rate"]


def report(rows: Sequence[Row], order: Sequence[str]) -> pd.DataFrame:
    """One row per stage in the given order, then `total`, which has no trend, GPU or cache figures.

    Columns: asset, REPORT_COLUMNS. `share` is of the total's wall seconds without loading; `trend` is the ratio of seconds per
    input now to before (1.1 is 10 % more); `gpu_util_mean` is in percent, `cache_rate` a share. NaN for missing figures.
    """
    last = latest(rows)
    summary = summarize(last, order)
    if summary.empty:
        return pd.DataFrame(columns=["asset", *REPORT_COLUMNS])
    work_s = summary.wall_s - summary.load_s
    total_s = float(work_s.iloc[-1])
    return summary.assign(
        share=work_s / total_s if total_s > 0 else None,
        trend=_of_stages(summary, rows, trend),
        gpu_util_mean=_of_stages(summary, last, gpu_use),
        cache_rate=_of_stages(summary, last, cache_rate),
    )


def summarize(rows: Sequence[Row], order: Sequence[str]) -> pd.DataFrame:
    """Sums the rows of `asset_timings` (dictionaries) per stage, in the given order, with a last row `total`.

    Columns: asset, videos, audio_s, wall_s, load_s, compute_s, rtf, x_realtime, items, items_per_s, device. The total's
    audio counts each video once; its device is empty.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        return pd.DataFrame(columns=["asset", *SUMMARY_COLUMNS])
    stages = [_summary(str(asset), frame[frame.asset == asset]) for asset in order if (frame.asset == asset).any()]
    total = _summary("total", frame)
    total["audio_s"] = frame.drop_duplicates("video_id").audio_s.sum()
    total |= _rates(total) | {"items": None, "items_per_s": None, "device": ""}
    return pd.DataFrame([*stages, total])


def _summary(asset: str, frame: pd.DataFrame) -> dict[str, Any]:
    sums = {key: float(frame[key].sum()) for key in ("audio_s", "wall_s", "load_s", "compute_s", "items")}
    row: dict[str, Any] = {"asset": asset, "videos": frame.video_id.nunique(), **sums}
    row |= _rates(row)
    row["items_per_s"] = row["items"] / row["compute_s"] if row["compute_s"] else 0.0
    row["device"] = ", ".join(sorted(frame.device.unique()))
    return {key: row[key] for key in ("asset", *SUMMARY_COLUMNS)}


def _rates(row: dict[str, Any]) -> dict[str, float]:
    return {
        "rtf": real_time_factor(row["compute_s"], row["audio_s"]),
        "x_realtime": times_real_time(row["audio_s"], row["wall_s"], row["load_s"]),
    }


def latest(rows: Sequence[Row]) -> list[Row]:
    """The last run of each stage for each video."""
    return list({(row["video_id"], row["asset"]): row for row in rows}.values())


def seconds_per_input(row: Row) -> float | None:
    """The stage's cost per input; None if nothing was computed."""
    timing = Timing.of_row(row)
    seconds = billable_s(timing)
    return seconds / timing.inputs if timing.inputs > 0 and seconds > 0 else None


def trend(rows: Sequence[Row]) -> float | None:
    """Ratio of the median seconds per input in a stage's last WINDOW timings to the WINDOW before; None if too few."""
    costs = [cost for row in rows if (cost := seconds_per_input(row)) is not None]
    before, now = costs[-2 * WINDOW : -WINDOW], costs[-WINDOW:]
    return median(now) / median(before) if min(len(before), len(now)) >= MINIMUM_VIDEOS else None


def gpu_use(rows: Sequence[Row]) -> float | None:
    """Mean utilisation in percent, weighted by duration; None if no GPU was sampled."""
    sampled = [row for row in rows if row["gpu_util_mean"] is not None and row["wall_s"] > 0]
    seconds = sum(row["wall_s"] for row in sampled)
    return sum(row["gpu_util_mean"] * row["wall_s"] for row in sampled) / seconds if sampled else None


def cache_rate(rows: Sequence[Row]) -> float | None:
    """The share of cache lookups that hit; None without lookups."""
    hits = sum(row["cache_hits"] for row in rows)
    lookups = hits + sum(row["cache_misses"] for row in rows)
    return hits / lookups if lookups else None


def clock_s(rows: Sequence[Row]) -> float:
    """Seconds from the start of the first timing to the end of the last."""
    begin = min((row["recorded_at"] - timedelta(seconds=row["wall_s"]) for row in rows), default=None)
    return (max(row["recorded_at"] for row in rows) - begin).total_seconds() if begin else 0.0


def _of_stages(summary: pd.DataFrame, rows: Sequence[Row], figure: Callable[[Sequence[Row]], float | None]) -> pd.Series:
    """A column for the summary: the figure of each stage's rows, empty for the total."""
    of_stage: dict[str, list[Row]] = {str(asset): [] for asset in summary.asset}
    for row in rows:
        of_stage.setdefault(row["asset"], []).append(row)
    figures = [figure(of_stage[asset]) if of_stage[asset] else None for asset in summary.asset]
    return pd.Series(figures, index=summary.index, dtype=float)


@dataclass(frozen=True)
class _Column:
    """`optional` columns are left out if no stage has a figure."""

    heading: str
    key: str
    text: Callable[[Any], str]
    optional: bool = False


def _decimals(digits: int) -> Callable[[float], str]:
    """Fixed decimals, but none from 100 on, where they are insignificant; this also limits the table's width."""
    return lambda value: f"{value:.0f}" if value >= 100 else f"{value:.{digits}f}"


def _seconds(value: float) -> str:
    return _decimals(1)(value) if value < 1e6 else f"{value / 1000.0:.0f}k"


_COLUMNS = (
    _Column("stage", "asset", str),
    _Column("videos", "videos", str),
    _Column("audio", "audio_s", format_hms),
    _Column("wall s", "wall_s", _seconds),
    _Column("load s", "load_s", _seconds),
    _Column("comp s", "compute_s", _seconds),
    _Column("RTF", "rtf", _decimals(3)),
    _Column("speed", "x_realtime", lambda value: f"{_decimals(1)(value)}x"),
    _Column("items/s", "items_per_s", _decimals(2)),
    _Column("share", "share", lambda value: f"{value:.0%}"),
    _Column("trend", "trend", _decimals(2)),
    _Column("GPU", "gpu_util_mean", lambda value: f"{value:.0f}%", optional=True),
    _Column("cache", "cache_rate", lambda value: f"{value:.0%}", optional=True),
)


def report_table(reported: pd.DataFrame) -> Table:
    """The report as text, "" for missing figures; `speed` is times real time. At most 110 columns wide."""
    shown = [column for column in _COLUMNS if not (column.optional and reported[column.key].isna().all())]
    rows = [
        ["" if pd.isna(row[column.key]) else column.text(row[column.key]) for column in shown]
        for row in reported.to_dict("records")
    ]
    return Table([(column.heading, "left" if column.key == "asset" else "right") for column in shown], rows)
