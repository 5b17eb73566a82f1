"""Timings: what the stages cost, as a report, a comparison or a plot; and the acceptance of a new speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earshot.common.errors import EarshotError
from earshot.storage.catalog.stages import MEASURED, STAGES
from earshot.storage.database import Database
from earshot.timings.baseline import MINIMUM_VIDEOS
from earshot.timings.comparison import Comparison, compare
from earshot.timings.history import accept_speed
from earshot.timings.queries import (
    MAX_TIMINGS,
    ROW_KEYS,
    OpenFailure,
    latest_timings,
    read_open_failures,
    read_timings,
    stream_timings,
)
from earshot.timings.report import Row, clock_s, report, report_table, seconds_per_input
from earshot.timings.timing import commit_named, hours_by_the_clock

if TYPE_CHECKING:
    import pandas as pd

    from earshot.common.table import Table

__all__ = [
    "MAX_TIMINGS",
    "MINIMUM_VIDEOS",
    "Comparison",
    "OpenFailure",
    "StageTiming",
    "TimingsReport",
    "accept_speed",
    "check_plot",
    "failing_checks",
    "hours_by_the_clock",
    "read_report",
    "stage_timings",
    "stream_rows",
]


RECENT = 120  # timings of a stage that its chart shows


@dataclass(frozen=True, eq=False)
class TimingsReport:
    """The newest timings, at most MAX_TIMINGS, oldest first, and what can be derived from them."""

    rows: Sequence[Row]

    @cached_property
    def stages(self) -> "pd.DataFrame":
        """One row per stage and a last row `total`: `Library.timings_report()`."""
        return report(self.rows, MEASURED)

    @property
    def table(self) -> "Table":
        """The stages as text, at most 110 columns wide."""
        return report_table(self.stages)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start of the first timing to the end of the last."""
        return clock_s(self.rows)

    def compare(self, a: str, b: str) -> list[Comparison]:
        """Compare version B with A for each stage."""
        return compare(self.rows, a, b, commit_named)

    def plot(self, path: Path) -> None:
        """Write a plot to this .png, .svg or .pdf file."""
        from earshot.timings.plots import pictures, save  # matplotlib takes a second

        save(pictures(self.rows), path)


@dataclass(frozen=True)
class StageTiming:
    """What a stage of a video took when it last ran: seconds by the clock, of them loading models and computing.

    `x_realtime` is None without audio or computing, `device` is `cuda` or `cpu`, None for a stage that uses neither.
    """

    asset: str
    recorded_at: datetime
    wall_s: float
    load_s: float
    compute_s: float
    x_realtime: float | None
    device: str | None
    run_id: str


def stage_timings(database: Database, video_id: str) -> list[StageTiming]:
    """The last timing of each stage of this video (key), in the order of the stages."""
    last = {row["asset"]: row for row in read_timings(database, video_id)}
    keys = [field.name for field in fields(StageTiming)]
    return [StageTiming(**{key: last[stage][key] for key in keys}) for stage in STAGES if stage in last]


@dataclass(frozen=True)
class TimedRun(StageTiming):
    """One run of a stage on a video. `timing_id` is its number; `cause` says why its `speed` is `warn` or `error`."""

    timing_id: int
    video_id: str
    audio_s: float
    seconds_per_input: float | None
    speed: str
    waiting: str
    cause: str


def timing_page(database: Database, stage: str | None, video_id: str | None, before: int | None, limit: int) -> list[TimedRun]:
    """The newest timings before this one."""
    if stage is not None and stage not in MEASURED:
        raise EarshotError(f"There is no stage {stage!r}.", f"Stages: {', '.join(MEASURED)}.")
    return [_timed(row) for row in latest_timings(database, stage, video_id, before, limit)]


def _timed(row: Row) -> TimedRun:
    keys = [field.name for field in fields(TimedRun) if field.name != "seconds_per_input"]
    return TimedRun(**{key: row[key] for key in keys}, seconds_per_input=seconds_per_input(row))


@dataclass(frozen=True)
class StageSummary:
    """A stage over the last run of each video, or `total`. `x_realtime` is its speed, `share` that of the work, `trend` seconds
    per input now / before; missing figures are None. `recent` are its last timings, oldest first.
    """

    asset: str
    videos: int
    audio_s: float
    wall_s: float
    load_s: float
    compute_s: float
    x_realtime: float | None
    items_per_s: float | None
    device: str
    share: float | None
    trend: float | None
    gpu_util_mean: float | None
    cache_rate: float | None
    recent: tuple[TimedRun, ...] = ()


def stage_report(database: Database) -> list[StageSummary]:
    """The report, and the last timings of each stage."""
    frame = read_report(database).stages
    keys = [field.name for field in fields(StageSummary) if field.name != "recent"]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [
        StageSummary(
            **{key: row[key] for key in keys},
            recent=() if row["asset"] == "total" else tuple(timing_page(database, row["asset"], None, None, RECENT)[::-1]),
        )
        for row in rows
    ]


def read_report(database: Database, video: str | None = None, days: float | None = None) -> TimingsReport:
    """The report on all timings, or on those of one video (key), of the last `days` days."""
    return TimingsReport(read_timings(database, video, days))


def stream_rows(database: Database, video: str | None, days: float | None) -> Iterator[dict[str, Any]]:
    """All of these timings, one at a time: those columns that programs may rely on."""
    return stream_timings(database, ROW_KEYS, video, days)


def failing_checks(database: Database, video: str | None) -> list[OpenFailure]:
    """The failed checks of the last days, of one video or all."""
    return read_open_failures(database, video)


def check_plot(path: Path) -> None:
    """Raise EarshotError unless a plot can be written with this suffix."""
    from earshot.timings.plots import check_suffix

    check_suffix(path)
