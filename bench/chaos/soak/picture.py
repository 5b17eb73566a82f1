"""The picture of soaks: `python -m bench.chaos.soak.picture docs/pictures/soak.png RESULT ...`, a column for each result."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from earshot.timings.plots import as_png

MINUTE_S = 60.0
WIDTH_INCHES, ROW_INCHES = 5.0, 1.45
MOST_LINES, FEWEST_POINTS = 8, 5

# Title, and the curves of a plot: the rest of a name after the match labels its line. The MOST_LINES highest are drawn.
PLOTS = (
    ("Memory of the workers, MiB", "memory (?=worker)"),
    ("Memory of the other processes, MiB", "memory (?!worker)"),
    ("Open files, but for Postgres'", "files (?!postgres)"),
    ("Connections to Postgres", "connections "),
    ("Disk without the models, MiB", "disk (?!home|models)"),
    ("Rows of the largest tables", r"rows earshot(_dagster)?\."),
    ("Length of sensors' ticks, s", "tick "),
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
        for row, (title, pattern) in enumerate(PLOTS):
            _draw_curves(grid[row][column], result, pattern)
            grid[row][column].set_title(title, fontsize=8, loc="left")
        grid[0][column].set_title(f"{_name(result)}\n{PLOTS[0][0]}", fontsize=8, loc="left")
        grid[-1][column].set_xlabel("minutes", fontsize=8)
    return figure


def _draw_curves(axes: Axes, result: Document, pattern: str) -> None:
    minutes = [at_s / MINUTE_S for at_s in result["at_s"]]
    for label, values in _largest(result["curves"], pattern):
        points = [(at, value) for at, value in zip(minutes, values, strict=True) if value is not None]
        axes.plot([at for at, _ in points], [value for _, value in points], linewidth=1.0, label=label)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if len(axes.get_lines()) > 1:
        axes.legend(fontsize=5.5, loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False)


def _largest(curves: dict[str, list[float | None]], pattern: str) -> list[tuple[str, list[float | None]]]:
    drawn = {name: values for name, values in curves.items() if len(values) - values.count(None) >= FEWEST_POINTS}
    labelled = [(name[match.end() :], values) for name, values in drawn.items() if (match := re.match(pattern, name))]
    return sorted(labelled, key=lambda curve: max(value or 0.0 for value in curve[1]), reverse=True)[:MOST_LINES]


def _name(result: Document) -> str:
    plan = result["plan"]
    if plan["speed"] == 1:
        return f"{plan['minutes']:.0f} minutes, {result['videos']} videos"
    return f"{plan['minutes'] * plan['speed'] / 60:.0f} hours in {plan['minutes']:.0f} minutes, {result['videos']} videos"


if __name__ == "__main__":
    target, *paths = (Path(argument) for argument in sys.argv[1:])
    target.write_bytes(as_png(draw([json.loads(path.read_text()) for path in paths])))
    print(target)
