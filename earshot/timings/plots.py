"""Plots of table `asset_timings`. Pure functions from its rows, oldest first, to matplotlib figures.

- `stage_times()`: the cost of an hour of audio by stage, for the videos in order of time. Beyond MAX_BARS videos, each bar
  combines several.
- `item_rates()`: what the regression check judges, over time: inputs per second of computing of each timing, the usual band
  before it, and the timings that were flagged as too slow. The band is the baseline (earshot/timings/baseline.py) of earlier
  comparable timings. Accepted speeds do not move it.
- `pictures()`: both in one figure.

Importing matplotlib takes a second, so import this module only where it is used.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import NullLocator
from PIL import Image

from earshot.common.errors import Misconfigured
from earshot.storage.catalog.stages import MEASURED
from earshot.timings.baseline import SPREAD_WINDOW, Cost, Level, judge
from earshot.timings.causes.computing import computing_s
from earshot.timings.history import BASELINE_KEY
from earshot.timings.report import Row, latest
from earshot.timings.timing import Timing

FORMATS = ("png", "svg", "pdf")
MAX_BARS = 120
FEW_POINTS = 100
DATES = 6
PALETTE = 128
DOTS_PER_INCH = 90
WIDTH_INCHES, TIMES_INCHES, RATE_INCHES = 9.0, 3.2, 1.3
SLOW = "found too slow"
# Distinguishable with colour blindness (Okabe and Ito); red is reserved for slow timings.
COLOURS: dict[str, str] = dict(
    zip(MEASURED, ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"), strict=True)
)
SLOW_COLOUR = "#d00000"


def stage_times(rows: Sequence[Row]) -> Figure:
    """Minutes of work per hour of audio, by stage, stacked; videos in order of their last timing."""
    figure = _figure(TIMES_INCHES)
    _draw_times(figure, rows)
    return figure


def item_rates(rows: Sequence[Row]) -> Figure:
    """Inputs per second of computing of each stage's timings, one below the other."""
    figure = _figure(_rates_inches(rows))
    _draw_rates(figure, rows)
    return figure


def pictures(rows: Sequence[Row]) -> Figure:
    """Stage times above, item rates below."""
    heights = [TIMES_INCHES, _rates_inches(rows)]
    figure = _figure(sum(heights))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_times(above, rows)
    _draw_rates(below, rows)
    return figure


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG with a small palette: half the size, without visible difference.

    Quantized by octree: median cut drops rare colours, and red is rare.
    """
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(PALETTE, Image.Quantize.FASTOCTREE).save(small, format="PNG", optimize=True)
    return small.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the file's suffix. Raises Misconfigured if that fails."""
    kind = check_suffix(path)
    try:
        figure.savefig(path, format=kind)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror}.", "Choose a folder that you can write to.") from error


def check_suffix(path: Path) -> str:
    """The format of the file's suffix; raises Misconfigured unless it is one of FORMATS."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise Misconfigured(f"{path} ends in {path.suffix!r}.", f"A plot can be written as one of: {allowed}.")
    return kind


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, layout="constrained")


def _rates_inches(rows: Sequence[Row]) -> float:
    return 0.8 + RATE_INCHES * max(1, len(_stages(rows)))


def _stages(rows: Sequence[Row]) -> list[str]:
    ran = {row["asset"] for row in rows}
    return [stage for stage in MEASURED if stage in ran]


def _draw_times(figure: FigureBase, rows: Sequence[Row]) -> None:
    axes = figure.subplots()
    videos = _by_video(rows)
    size = math.ceil(len(videos) / MAX_BARS) or 1
    bars = [videos[first : first + size] for first in range(0, len(videos), size)]
    edges, below = np.arange(len(bars) + 1), np.zeros(len(bars))
    for stage in _stages(rows):
        above = below + [_minutes_per_hour(bar, stage) for bar in bars]
        axes.stairs(above, edges, baseline=below, fill=True, color=COLOURS[stage], label=stage)
        below = above
    axes.set_ylim(bottom=0)
    axes.set_ylabel("minutes")
    grouped = f", {size} to a bar" if size > 1 else ""
    axes.set_title(f"Minutes of work per hour of audio, without loading models (videos: {len(videos)}{grouped})", fontsize=10)
    _mark_times(axes, [_end(bar) for bar in bars])
    if bars:
        figure.legend(*_reversed(axes), loc="outside right upper", fontsize=8, frameon=False)


def _by_video(rows: Sequence[Row]) -> list[list[Row]]:
    """The latest timings of each video; videos in order of their last timing."""
    videos: dict[str, list[Row]] = {}
    for row in latest(rows):
        videos.setdefault(row["video_id"], []).append(row)
    return sorted(videos.values(), key=lambda timings: max(row["recorded_at"] for row in timings))


def _minutes_per_hour(videos: Iterable[Sequence[Row]], stage: str) -> float:
    """Minutes of the stage's work per hour of audio, over these videos together."""
    timings = [row for video in videos for row in video if row["asset"] == stage]
    audio_s = sum(row["audio_s"] for row in timings)
    return 60.0 * sum(row["wall_s"] - row["load_s"] for row in timings) / audio_s if audio_s else 0.0


def _end(videos: Sequence[Sequence[Row]]) -> datetime:
    return max(row["recorded_at"] for video in videos for row in video)


def _reversed(axes: Axes) -> tuple[list[Any], list[Any]]:
    """The legend's entries in the order of the stacked bars."""
    handles, labels = axes.get_legend_handles_labels()
    return handles[::-1], labels[::-1]


def _draw_rates(figure: FigureBase, rows: Sequence[Row]) -> None:
    stages = _stages(rows)
    all_axes = figure.subplots(max(1, len(stages)), 1, sharex=True, squeeze=False)[:, 0]
    for axes, stage in zip(all_axes, stages, strict=False):
        _draw_rate(axes, [row for row in rows if row["asset"] == stage and _cost(row).measurable], stage)
    locator = AutoDateLocator()
    all_axes[-1].xaxis.set_major_locator(locator)
    all_axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    title = f"Inputs per second of computing; grey: what was usual before, median and spread; red: {SLOW}"
    figure.suptitle(title, fontsize=10)


def _draw_rate(axes: Axes, timings: Sequence[Row], stage: str) -> None:
    times, rates = [row["recorded_at"] for row in timings], [_rate(row) for row in timings]
    few = len(times) < FEW_POINTS
    axes.plot(times, rates, "o", color=COLOURS[stage], markersize=4 if few else 1.5, alpha=1.0 if few else 0.4)
    low, middle, high = usual_rates(timings)
    axes.fill_between(times, low, high, color="0.3", alpha=0.2, linewidth=0, zorder=3, label="usual")
    axes.plot(times, middle, color="0.2", linewidth=0.8, zorder=3)
    slow = [row for row in timings if Level(row["speed"]).flagged]
    at, slow_rates = [row["recorded_at"] for row in slow], [_rate(row) for row in slow]
    axes.plot(at, slow_rates, "x", color=SLOW_COLOUR, markersize=7 if few else 5, markeredgewidth=1.5, zorder=4, label=SLOW)
    _scale(axes, rates)
    axes.set_ylabel(stage.replace("_", "\n"), fontsize=8)
    axes.tick_params(labelsize=8)


def _cost(row: Row) -> Cost:
    """The stage's cost, as the check judges it."""
    return Cost(computing_s(Timing.of_row(row)), row["inputs"], Level(row["speed"]).flagged)


def _rate(row: Row) -> float:
    return row["inputs"] / _cost(row).seconds


def _scale(axes: Axes, rates: Sequence[float]) -> None:
    """Logarithmic: half as fast and twice as fast are equally far away."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    if rates:
        bottom, top = min(rates) / 1.5, max(rates) * 1.5
        axes.set_ylim(bottom, top)
        ticks = np.geomspace(bottom, top, 5)[1:4]  # matplotlib's own are missing in a range within one decade
        axes.set_yticks(ticks, [f"{tick:.2g}" if tick < 100 else f"{tick:.0f}" for tick in ticks])


def usual_rates(timings: Sequence[Row]) -> tuple[list[float], list[float], list[float]]:
    """For each of a stage's timings, the usual rates of earlier comparable ones: low, median, high; NaN if too few."""
    before: dict[tuple[str, ...], deque[Cost]] = defaultdict(lambda: deque(maxlen=SPREAD_WINDOW))
    low, middle, high = [], [], []
    for row in timings:
        cost, comparable = _cost(row), before[tuple(row[key] for key in BASELINE_KEY)]
        verdict = judge(cost, comparable)
        rate, spread = 1.0 / verdict.unit_s, 1.0 + verdict.spread
        low.append(rate / spread)
        middle.append(rate)
        high.append(rate * spread)
        if not cost.flagged:
            comparable.append(cost)
    return low, middle, high


def _mark_times(axes: Axes, times: Sequence[datetime]) -> None:
    """Label up to DATES bars with their dates, or times of day if close together; none twice."""
    indices = sorted({int(index) for index in np.linspace(0, len(times) - 1, DATES)}) if times else []
    near = bool(times) and (max(times) - min(times)).days < len(indices)
    written = "%Y-%m-%d\n%H:%M" if near else "%Y-%m-%d"
    labels = {times[index].strftime(written): index + 0.5 for index in indices}
    axes.set_xticks(list(labels.values()), list(labels), fontsize=8)
    axes.margins(x=0.01)
