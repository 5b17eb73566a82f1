"""Printing: tables for people, JSON for programs."""

import json
import math
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from earshot.common.times import format_hms

if TYPE_CHECKING:
    import pandas as pd

    from earshot import StaleStage

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def console(stderr: bool = False) -> Console:
    """The console for text. A table that is piped keeps its full width instead of breaking at 80 columns."""
    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=160)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; times as ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1, default=_jsonable))


def print_json_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON array, a row per line as it arrives: a large library's rows do not fit into memory."""
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n {json.dumps(row, ensure_ascii=False, default=_jsonable)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def json_rows(frame: "pd.DataFrame") -> Sequence[Mapping[Hashable, Any]]:
    """The rows of a frame for JSON, with null instead of NaN, which JSON does not have."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _jsonable(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def print_table(headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], last_apart: bool = False) -> None:
    """Print a table; headings are (text, `left` or `right`). `last_apart` draws a line above the last row."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for text, side in headings:
        table.add_column(text, justify="right" if side == "right" else "left", overflow="fold")
    for index, row in enumerate(rows):
        table.add_row(*row, end_section=last_apart and index == len(rows) - 2)
    console().print(table, soft_wrap=False)


def print_stale(stale: "Iterable[StaleStage]") -> None:
    """Print what is out of date, one row per stage and reason."""
    from earshot.library.work.stages import stale_table

    table = stale_table(stale)
    print_table(table.headings, table.rows)


def print_timing_table(summary: "pd.DataFrame") -> None:
    """Print the table per stage that `summarize()` makes, within 80 columns; `speed` is times real time."""
    headings = [
        ("stage", "left"), ("audio", "right"), ("wall s", "right"), ("load s", "right"), ("comp s", "right"), ("RTF", "right"),
        ("speed", "right"), ("items", "right"), ("items/s", "right"), ("device", "left"),
    ]  # fmt: skip
    rows = [
        (
            row["asset"], format_hms(row["audio_s"]), f"{row['wall_s']:.1f}", f"{row['load_s']:.1f}",
            f"{row['compute_s']:.1f}", f"{row['rtf']:.3f}", f"{row['x_realtime']:.1f}x",
            _figure(row["items"], 0), _figure(row["items_per_s"], 1), row["device"],
        )
        for row in summary.to_dict("records")
    ]  # fmt: skip
    print_table(headings, rows, last_apart=True)


def describe_speed(summary: "pd.DataFrame") -> str:
    """The total, in one sentence."""
    total = summary.iloc[-1]
    speed = total.x_realtime
    if not speed:
        return "No audio was processed."
    return (
        f"Total: {format_hms(total.audio_s)} of audio in {total.wall_s - total.load_s:.1f} s of work "
        f"(+ {total.load_s:.1f} s loading models): {speed:.1f}x real time = {speed:.1f} hours of audio per hour; "
        f"RTF {total.rtf:.3f} (computing alone)."
    )


def _figure(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
