"""Backfills: planned and followed here, done by Dagster's daemon. Importing this module loads Dagster."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from earshot.common.errors import EarshotError
from earshot.library.lookup import Names, find_filter
from earshot.library.work.stages import STAGES, known_stages
from earshot.storage.database import Database
from ingest_assets.operations import backfill
from ingest_assets.operations.backfill import Progress
from ingest_assets.operations.backfill_result import Example, StageChange, changed_passages, read_result, stage_changes
from ingest_assets.operations.forecast import Forecast, forecast, stages_at_once
from ingest_assets.stages.staleness import StaleStage
from resources.instance.home import open_instance

MAX_HEARTBEAT_AGE_S = 90.0  # Dagster's daemon writes a heartbeat every 30 s


@dataclass(frozen=True, eq=False)
class Backfill:
    """A backfill: its `stages`, newest video first; its id, None if nothing was started; and
    how many videos a range of days leaves out because their date is unknown."""

    backfill_id: str | None
    stages: Sequence[StaleStage]
    undated_videos_left_out: int


@dataclass(frozen=True)
class BackfillRequest:
    """The stages (none with `only_stale`: all), and the filters of the videos, of which the newest `limit` are taken."""

    stages: Names
    only_stale: bool
    sources: Names
    videos: Names
    languages: Names
    since: date | None
    until: date | None
    limit: int | None


@dataclass(frozen=True)
class BackfillPlan:
    """The stages that a backfill would run, and those of them that would not be reused; `undated_videos_left_out` as in
    `Backfill`."""

    database: Database
    title: str
    stages: Sequence[StaleStage]
    forced: Sequence[str]
    undated_videos_left_out: int

    def forecast(self) -> Forecast:
        """How long it would take."""
        return forecast(self.database, self.stages, stages_at_once(open_instance()))

    def start(self, keep_previous: bool) -> str:
        """Start it; returns its id."""
        return backfill.launch(self.stages, self.forced, self.title, self.database, open_instance(), keep_previous)


@dataclass(frozen=True)
class BackfillResult:
    """The progress of a backfill, and what it has changed: by stage, with a few changed passages as examples.

    Only backfills that Earshot started record what they change.
    """

    progress: Progress
    stages: Sequence[StageChange]
    examples: Sequence[Example]


def plan_backfill(database: Database, request: BackfillRequest) -> BackfillPlan:
    """Choose what to run again. Raises EarshotError if no stage is named, or something unknown."""
    stages = known_stages(request.stages)
    if not stages and not request.only_stale:
        raise EarshotError("No stage is named.", f"Name some of {', '.join(STAGES)}, or pass `stale=True`.")
    video_filter = find_filter(database, request.sources, request.videos, request.languages, request.since, request.until)
    chosen = backfill.choose(database, stages or STAGES, request.only_stale, video_filter, request.limit)
    title = " ".join([*stages, *(["what is out of date"] if request.only_stale else [])])
    forced = () if request.only_stale else stages
    return BackfillPlan(database, title, chosen, forced, backfill.count_undated(database, video_filter))


def start_backfill(database: Database, request: BackfillRequest, keep_previous: bool, dry_run: bool) -> Backfill:
    """Choose what to run again, and start it unless there is nothing to do or it is a dry run."""
    plan = plan_backfill(database, request)
    backfill_id = plan.start(keep_previous) if plan.stages and not dry_run else None
    return Backfill(backfill_id, plan.stages, plan.undated_videos_left_out)


def backfill_progress(database: Database, backfill_id: str) -> Progress:
    return backfill.read_progress(database, open_instance(), backfill_id)


def follow_backfill(database: Database, backfill_id: str, every_s: float) -> Iterator[Progress]:
    """The progress every so many seconds; the last one has ended."""
    instance = open_instance()
    progress = backfill.read_progress(database, instance, backfill_id)
    while not progress.ended:
        yield progress
        time.sleep(every_s)
        progress = backfill.read_progress(database, instance, backfill_id)
    yield progress


def backfill_result(database: Database, backfill_id: str) -> BackfillResult:
    progress, rows = backfill_progress(database, backfill_id), read_result(database, backfill_id)
    return BackfillResult(progress, stage_changes(rows), changed_passages(rows))


def cancel_backfill(backfill_id: str) -> None:
    backfill.cancel(open_instance(), backfill_id)


def is_daemon_running() -> bool:
    """Whether the part of Dagster's daemon that starts the runs of backfills has reported lately."""
    heartbeat = open_instance().get_daemon_heartbeats().get("BACKFILL")
    return heartbeat is not None and abs(time.time() - heartbeat.timestamp) < MAX_HEARTBEAT_AGE_S
