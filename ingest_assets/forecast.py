"""Forecast: how long a backfill takes, from the stages' last timings and from what lately passed between two stages.

A stage's timing says what the stage took and nothing of what is around it: starting a run, waiting for the queue, loading
models where no worker keeps them. For an hour of audio that is nothing, for a thousand short texts it is nearly all. It is
read off `asset_timings` too: what passed from the end of one stage to the end of the next, less what that one took by its
timing. Between stages of one run that is another figure than between runs, and a backfill of one stage has only the latter.

Where several stages compute at once, as two do on a GPU, their work is spread over them, `work_s / at_once`, but takes no less
than the longest video's, whose stages follow one another. At once are as many as there are slots in pool `gpu`, or workers
where those are fewer; `audio`, which takes no slot, counts as if it did. A stage that began before the one before it had ended
was side by side with it, so that only its share of the work is left out of what passed; of a stage that was alone, as in
`earshot ingest`, all its work is.

Until the first run begins it takes up to half a minute more, in which Dagster's daemon looks for backfills. Nothing is said of
money.
"""

from dataclasses import dataclass

import pandas as pd
from dagster import DagsterInstance

from resources.database import Database
from resources.postgres import server_urls
from resources.settings import read_settings
from resources.workforce import count_workers

POOL = "gpu"
LATELY = 200  # timings
# What passed without anything to do says nothing. Processes that load their models for each video take 16 s at most here.
IDLE_S = 60.0
USUAL = 0.95  # the longest twentieth counts as if it were no longer than the rest: a worker that loads its models once


@dataclass(frozen=True)
class Forecast:
    """`work_s` is by the stages' last timings, without loading, and takes `spread_s` with `at_once` stages at a time.

    `around_s` is what comes to that, None where nothing tells.
    """

    videos: int
    work_s: float
    at_once: int
    spread_s: float
    around_s: float | None


def forecast(database: Database, chosen: pd.DataFrame, at_once: int) -> Forecast:
    """Of what `choose()` chose; stages that never ran count as nothing."""
    videos = int(chosen.video_id.nunique())
    usual = usually_between(_steps(database), at_once)
    around_s = None
    if True in usual:
        around_s = videos * usual[True] + (len(chosen) - videos) * usual.get(False, 0.0)
    return Forecast(videos, float(chosen.took_s.sum()), at_once, spread_s(chosen, at_once), around_s)


def spread_s(chosen: pd.DataFrame, at_once: int) -> float:
    """How long the work of these stages takes where so many are at work at once, those of one video one after another."""
    of_videos = chosen.groupby("video_id").took_s.sum()
    return float(max(of_videos.sum() / at_once, of_videos.max()))


def stages_at_once(instance: DagsterInstance) -> int:
    """As many as pool `gpu` has slots, or fewer where there are fewer workers: those at hand, else those `up` would start."""
    settings = read_settings()
    workers = count_workers(server_urls(settings).earshot) or settings.workers
    chosen = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits() if not pool.from_default}
    slots = chosen.get(POOL, instance.global_op_concurrency_default_limit)
    return max(1, workers if slots is None else min(workers, slots))


def _steps(database: Database) -> pd.DataFrame:
    """Of each stage lately done: whether it was its run's first, what passed since the one before, what it took, and loaded."""
    rows = database.query(
        """
        SELECT run_id <> lag(run_id) OVER earlier AS first,
            extract(epoch FROM recorded_at - lag(recorded_at) OVER earlier)::float AS passed_s, wall_s, load_s
        FROM (SELECT * FROM asset_timings ORDER BY timing_id DESC LIMIT %s) AS lately
        WINDOW earlier AS (ORDER BY recorded_at, timing_id)
        """,
        [LATELY],
    )
    return pd.DataFrame(rows, columns=["first", "passed_s", "wall_s", "load_s"]).dropna()


def usually_between(steps: pd.DataFrame, at_once: int) -> dict[bool, float]:
    """Mean seconds before a stage that is its run's first (True), and before one that is not (False), where any are known.

    Of stages side by side one is early and the next late, so that some have less than nothing before them, which the mean
    evens out; where one computes at a time nothing is the least.
    """
    work_s = steps.wall_s - steps.load_s
    side_by_side = steps.passed_s < steps.wall_s
    between_s = (steps.passed_s - work_s.where(~side_by_side, work_s / at_once)).clip(lower=-work_s * (1 - 1 / at_once))
    usual = {}
    for first, of_kind in between_s[between_s < IDLE_S].groupby(steps["first"]):
        usual[bool(first)] = max(0.0, float(of_kind.clip(upper=float(of_kind.quantile(USUAL))).mean()))
    return usual
