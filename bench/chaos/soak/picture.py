"""The picture of soaks: `python -m bench.chaos.soak.picture docs/pictures/soak.png RESULT ...`, a column for each result."""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from earshot.timings.plots import as_png

MINUTE_S = 60.0
WIDTH_INCHES, ROW_INCHES = 5.2, 1.9
MOST_LINES = 9

# Title, and what the names of a plot's curves begin with; those with the highest last values are drawn.
PLOTS = (
    ("Memory, MiB (proportional set size)", "memory "),
    ("Open files", "files "),
    ("Threads", "threads "),
    ("Connections to Postgres", "connections "),
    ("Disk, MiB", "disk "),
    ("Files on the disk", "file count "),
    ("Rows, the largest tables", "rows "),
    ("Length of sensors' ticks, s", "tick "),
    ("Between two ticks of the busiest sensor, s", "iteration"),
    ("Answers of the page, s", "answer "),
    ("From publishing to searchable, s", "searchable"),
    ("Load average of the machine", "load"),
)

Document = dict[str, Any]


def draw(results: list[Document]) -> Figure:
    """Small plots over the minutes, one below the other."""
    figure = Figure(figsize=(WIDTH_INCHES * len(results), ROW_INCHES * len(PLOTS)), layout="constrained")
    grid = figure.subplots(len(PLOTS), len(results), squeeze=False, sharex="col")
    for column, result in enumerate(results):
        for row, (title, prefix) in enumerate(PLOTS):
            _draw_curves(grid[row][column], result, prefix)
            grid[row][column].set_title(title, fontsize=8, loc="left")
        grid[0][column].set_title(f"{_name(result)}\n{PLOTS[0][0]}", fontsize=8, loc="left")
        grid[-1][column].set_xlabel("minutes", fontsize=8)
    return figure


def _draw_curves(axes: Axes, result: Document, prefix: str) -> None:
    minutes = [at_s / MINUTE_S for at_s in result["at_s"]]
    for name, values in _largest(result["curves"], prefix):
        points = [(at, value) for at, value in zip(minutes, values, strict=True) if value is not None]
        label = name.removeprefix(prefix).replace("earshot_dagster.", "").replace("earshot.", "")
        axes.plot([at for at, _ in points], [value for _, value in points], linewidth=1.0, label=label)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if len(axes.get_lines()) > 1:
        axes.legend(fontsize=5.5, loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False)


def _largest(curves: dict[str, list[float | None]], prefix: str) -> list[tuple[str, list[float | None]]]:
    named = [(name, values) for name, values in curves.items() if name.startswith(prefix)]
    return sorted(named, key=lambda curve: max(value or 0.0 for value in curve[1]), reverse=True)[:MOST_LINES]


def _name(result: Document) -> str:
    plan = result["plan"]
    if plan["speed"] == 1:
        return f"{plan['minutes']:.0f} minutes, {result['videos']} videos"
    return f"{plan['minutes'] * plan['speed'] / 60:.0f} hours in {plan['minutes']:.0f} minutes, {result['videos']} videos"


if __name__ == "__main__":
    target, *paths = (Path(argument) for argument in sys.argv[1:])
    target.write_bytes(as_png(draw([json.loads(path.read_text()) for path in paths])))
    print(target)
