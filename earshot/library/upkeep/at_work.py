"""At work: which videos are running now and how far they are, and what comes next. Cheap enough to be read every second.

Workers report no progress within a stage. The share is an estimate: what each stage usually takes for a second of audio, by its
last timings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earshot.config.settings import read_settings
from earshot.storage.catalog.run_activity import RunAtWork, is_daemon_running, read_run_queue, read_runs_at_work
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from earshot.storage.server import server_urls

NEXT = 5  # queued videos that are named
RECENT = 20  # timings of a stage
MOST_DONE = 0.99  # of a stage that takes longer than usual

Rates = Mapping[str, float]  # seconds per second of audio, by stage


@dataclass(frozen=True)
class NamedVideo:
    """A video by key and title."""

    video_id: str
    title: str


@dataclass(frozen=True)
class VideoAtWork(NamedVideo):
    """A video that is `running` a stage or `waiting` for its turn to compute one: stage `number` of `stages`.

    `share` (0 to 1) and `remaining_s` are estimates, None without earlier timings or a known length.
    """

    run: str
    stage: str | None
    number: int
    stages: int
    share: float | None
    remaining_s: float | None


@dataclass(frozen=True)
class AtWork:
    """What is running, how many runs are `queued` and the `next` of them, and how many videos wait to be queued (`requested`).

    `up`: `earshot up` runs, which starts what is queued.
    """

    up: bool
    running: tuple[VideoAtWork, ...]
    queued: int
    next: tuple[NamedVideo, ...]
    requested: int


def read_at_work(database: Database) -> AtWork:
    """What is at work now."""
    urls = server_urls(read_settings())
    runs, queue = read_runs_at_work(urls), read_run_queue(urls, NEXT)
    videos = _videos(database, [*(run.video_id for run in runs), *queue.first])
    rates = _rates(database) if runs else {}
    [counted] = database.query("SELECT count(*) AS requested FROM run_requests")
    return AtWork(
        is_daemon_running(urls),
        tuple(_at_work(run, *videos[run.video_id], rates) for run in runs if run.video_id in videos),
        queue.runs,
        tuple(NamedVideo(key, videos[key][0]) for key in queue.first if key in videos),
        counted["requested"],
    )


def _videos(database: Database, video_ids: Sequence[str]) -> dict[str, tuple[str, float | None]]:
    """Title and length, by key."""
    if not video_ids:
        return {}
    rows = database.query("SELECT video_id, title, duration_s FROM videos WHERE video_id = ANY(%s)", [list(video_ids)])
    return {row["video_id"]: (row["title"], row["duration_s"]) for row in rows}


def _rates(database: Database) -> Rates:
    """The median of each stage's recent timings."""
    rows = database.query(
        """
        SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_s / audio_s) AS rate
        FROM unnest(%s::text[]) AS stage CROSS JOIN LATERAL (
            SELECT wall_s, audio_s FROM asset_timings WHERE asset = stage ORDER BY timing_id DESC LIMIT %s) AS recent
        WHERE audio_s > 0 GROUP BY stage
        """,
        [list(STAGES), RECENT],
    )
    return {row["stage"]: row["rate"] for row in rows}


def _at_work(run: RunAtWork, title: str, length_s: float | None, rates: Rates) -> VideoAtWork:
    stage = run.activity.stage
    ended = [planned for planned in run.planned if planned in run.done]
    number = min(len(ended) + 1, len(run.planned))
    share, remaining_s = _estimate(run, ended, length_s, rates)
    return VideoAtWork(run.video_id, title, run.activity.run, stage, number, len(run.planned), share, remaining_s)


def _estimate(run: RunAtWork, ended: Sequence[str], length_s: float | None, rates: Rates) -> tuple[float | None, float | None]:
    """The share done and the remaining seconds, as far as the usual speed tells."""
    usual_s = {stage: rates[stage] * length_s for stage in run.planned if stage in rates} if length_s else {}
    total_s = sum(usual_s.values())
    if len(usual_s) < len(run.planned) or total_s <= 0:
        return None, None
    present = usual_s.get(run.activity.stage or "", 0.0) if run.activity.stage not in ended else 0.0
    done_s = sum(usual_s[stage] for stage in ended) + min(run.stage_s, MOST_DONE * present)
    return done_s / total_s, total_s - done_s
