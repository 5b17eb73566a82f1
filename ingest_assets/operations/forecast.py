"""Forecasts how long a backfill takes, not what it costs, from the stages' last timings and the recent overhead between stages.

A stage's timing excludes the overhead around it: starting a run, waiting in the queue, loading models if no worker keeps them.
For an hour of audio the overhead is negligible, for a thousand short texts it is nearly everything. It, too, is read from
`asset_timings`: the time from the end of one stage to the end of the next, minus that stage's own work. It differs within a run
and between runs; a backfill of one stage has only the latter kind.

If several stages compute at once, as two do on a GPU, their work takes `work_s / at_once`, but no less than the longest video,
whose stages are sequential. `at_once` is the number of slots in pool `gpu`, or of workers if there are fewer; `audio`, which
takes no slot, counts as if it did. For a stage that began before the previous one had ended, and so ran in parallel, only its
share of the work is subtracted; for a stage that ran alone, as in `earshot ingest`, all of it.

Dagster's daemon takes up to half a minute more to notice the backfill.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from dagster import DagsterInstance

from earshot.config.settings import read_settings
from earshot.storage.database import Database
from earshot.storage.server import server_urls
from ingest_assets.stages.staleness import StaleStage, count_videos
from ingest_assets.stages.video_asset import GPU_POOL
from resources.instance.worker_slots import count_workers

RECENT = 200  # timings
# Longer gaps are idle time, not overhead. Processes that load their models for each video take 16 s at most here.
IDLE_S = 60.0
CLIP_QUANTILE = 0.95  # longer overheads are clipped to this quantile, such as a worker's first loading of its models


@dataclass(frozen=True)
class Forecast:
    """`work_s` sums the stages' last timings without loading, and takes `spread_s` with `at_once` stages at a time.

    `around_s` is the additional overhead, None if unknown.
    """

    videos: int
    work_s: float
    at_once: int
    spread_s: float
    around_s: float | None


def forecast(database: Database, chosen: Sequence[StaleStage], at_once: int) -> Forecast:
    """The forecast for the stages of `choose()`; stages that never ran count as 0 s."""
    videos = count_videos(chosen)
    work_s = sum(stale.took_s or 0.0 for stale in chosen)
    overhead_s = usually_between(_steps(database), at_once)
    around_s = None
    if True in overhead_s:
        around_s = videos * overhead_s[True] + (len(chosen) - videos) * overhead_s.get(False, 0.0)
    return Forecast(videos, work_s, at_once, spread_s(chosen, at_once), around_s)


def spread_s(chosen: Iterable[StaleStage], at_once: int) -> float:
    """Seconds that these stages take with `at_once` in parallel, those of one video one after another."""
    per_video: defaultdict[str, float] = defaultdict(float)
    for stale in chosen:
        per_video[stale.video_id] += stale.took_s or 0.0
    return max(sum(per_video.values()) / at_once, max(per_video.values()))


def stages_at_once(instance: DagsterInstance) -> int:
    """The number of stages that compute at once: slots of pool `gpu`, or (running, else configured) workers if fewer."""
    settings = read_settings()
    workers = count_workers(server_urls(settings).earshot) or settings.workers
    limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits() if not pool.from_default}
    slots = limits.get(GPU_POOL, instance.global_op_concurrency_default_limit)
    return max(1, workers if slots is None else min(workers, slots))


def _steps(database: Database) -> pd.DataFrame:
    """The recent stages. Columns: first (of its run), passed_s (since the previous stage's end), wall_s, load_s."""
    rows = database.query(
        """
        SELECT run_id <> lag(run_id) OVER earlier AS first,
            extract(epoch FROM recorded_at - lag(recorded_at) OVER earlier)::float AS passed_s, wall_s, load_s
        FROM (SELECT * FROM asset_timings ORDER BY timing_id DESC LIMIT %s) AS lately
        WINDOW earlier AS (ORDER BY recorded_at, timing_id)
        """,
        [RECENT],
    )
    return pd.DataFrame(rows, columns=["first", "passed_s", "wall_s", "load_s"]).dropna()


def usually_between(steps: pd.DataFrame, at_once: int) -> dict[bool, float]:
    """Mean overhead in seconds before a run's first stage (True) and before its others (False), if known.

    Parallel stages end at uneven intervals, so some have a negative overhead, which the mean evens out; with one stage at a
    time the overhead is at least 0.
    """
    work_s = steps.wall_s - steps.load_s
    parallel = steps.passed_s < steps.wall_s
    overhead_s = (steps.passed_s - work_s.where(~parallel, work_s / at_once)).clip(lower=-work_s * (1 - 1 / at_once))
    means = {}
    for first, group in overhead_s[overhead_s < IDLE_S].groupby(steps["first"]):
        means[bool(first)] = max(0.0, float(group.clip(upper=float(group.quantile(CLIP_QUANTILE))).mean()))
    return means
