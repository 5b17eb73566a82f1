"""Forecast: how long a backfill takes, from the stages' last timings and from what lately passed between two stages.

A stage's timing says what the stage took and nothing of what is around it: starting a run, waiting for the queue, loading
models where no worker keeps them. For an hour of audio that is nothing, for a thousand short texts it is nearly all. It is
read off `asset_timings` too: what passed from the end of one stage to the end of the next, less what that one took by its
timing. Between stages of one run that is another figure than between runs, and a backfill of one stage has only the latter.

With several workers a forecast is right where pool `gpu` lets one stage compute at a time, as it does on a CPU; where it lets
several, as on a GPU, it is the most that a backfill takes. Until
the first run begins it takes up to half a minute more, in which Dagster's daemon looks for backfills. Nothing is said of money.
"""

from dataclasses import dataclass

import pandas as pd

from earshot.storage.database import Database

RECENT = 200  # timings
# What passed without anything to do says nothing. Processes that load their models for each video take 16 s at most here.
IDLE_S = 60.0
CLIP_QUANTILE = 0.95  # the longest twentieth counts as if it were no longer than the rest: a worker that loads its models once


@dataclass(frozen=True)
class Forecast:
    """`work_s` is by the stages' last timings, without loading; `around_s` what comes to it, None where nothing tells."""

    videos: int
    work_s: float
    around_s: float | None


def forecast(database: Database, chosen: pd.DataFrame) -> Forecast:
    """Of what `choose()` chose; stages that never ran count as nothing."""
    videos = int(chosen.video_id.nunique())
    usual = _usually_between(_steps(database))
    around_s = None
    if True in usual:
        around_s = videos * usual[True] + (len(chosen) - videos) * usual.get(False, 0.0)
    return Forecast(videos, float(chosen.took_s.sum()), around_s)


def _steps(database: Database) -> pd.DataFrame:
    """Of each stage lately done: whether it was its run's first, and what passed since the stage before, its work left out."""
    rows = database.query(
        """
        SELECT run_id <> lag(run_id) OVER earlier AS first,
            extract(epoch FROM recorded_at - lag(recorded_at) OVER earlier)::float - (wall_s - load_s) AS between_s
        FROM (SELECT * FROM asset_timings ORDER BY timing_id DESC LIMIT %s) AS lately
        WINDOW earlier AS (ORDER BY recorded_at, timing_id)
        """,
        [RECENT],
    )
    return pd.DataFrame(rows, columns=["first", "between_s"]).dropna()


def _usually_between(steps: pd.DataFrame) -> dict[bool, float]:
    """Mean seconds before a stage that is its run's first (True), and before one that is not (False), where any are known.

    Workers that are side by side are ready in pairs, so that the median would be next to nothing.
    """
    usual = {}
    for first, of_kind in steps[steps.between_s < IDLE_S].groupby("first"):
        between_s = of_kind.between_s.clip(lower=0.0)
        usual[bool(first)] = float(between_s.clip(upper=float(between_s.quantile(CLIP_QUANTILE))).mean())
    return usual
