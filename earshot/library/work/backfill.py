"""Runs: ingest sources in this process, and backfill with Dagster's daemon. Importing this module loads Dagster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from dagster import DagsterInstance

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source
from earshot.library.lookup import Names, find_filter
from earshot.library.stages import STAGES, known_stages
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from ingest_assets.operations import backfill
from ingest_assets.operations.ingest import IngestChoice, Outcome, identify_speakers, ingest, keep_search_index
from ingest_assets.stages.staleness import StaleStage
from resources.instance.home import open_instance


@dataclass(frozen=True)
class IngestResult:
    """The outcome of each source or video, and the counts of asset `people`, empty if no video was ingested.

    `done` and `failed` select outcomes; a failed one has an `error`.
    """

    outcomes: tuple[Outcome, ...]
    speakers: dict[str, float]

    @property
    def done(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.result == "done")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.result == "failed")


@dataclass(frozen=True, eq=False)
class Backfill:
    """A backfill: its `stages`, newest video first; its id, None if nothing was started; and
    how many videos a range of days leaves out because their date is unknown."""

    backfill_id: str | None
    stages: Sequence[StaleStage]
    undated_videos_left_out: int


def ingest_sources(
    database: Database, sources: Sequence[Source], choice: IngestChoice, tell: Callable[[Outcome | Video], object]
) -> IngestResult:
    """Ingest one video after another. Calls `tell` with each video when it starts, and with each outcome."""
    if not sources:
        raise EarshotError(f"No source is named, and {read_settings().sources} has none.", "Name a URL, a file or a folder.")
    instance = open_instance()
    outcomes = tuple(_outcomes(ingest(sources, choice, database, instance), tell))
    return IngestResult(outcomes, finish_ingest(database, instance, outcomes))


def _outcomes(steps: Iterator[Outcome | Video], tell: Callable[[Outcome | Video], object]) -> Iterator[Outcome]:
    for step in steps:
        tell(step)
        if isinstance(step, Outcome):
            yield step


def finish_ingest(database: Database, instance: DagsterInstance, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """If videos were ingested, update the search index and identify all speakers; returns the counts of the latter."""
    if not any(outcome.result == "done" for outcome in outcomes):
        return {}
    keep_search_index(database, instance)
    return identify_speakers(instance)


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


def start_backfill(database: Database, request: BackfillRequest, keep_previous: bool, dry_run: bool) -> Backfill:
    """Choose what to run again, and start it unless there is nothing to do or it is a dry run."""
    stages = known_stages(request.stages)
    if not stages and not request.only_stale:
        raise EarshotError("No stage is named.", f"Name some of {', '.join(STAGES)}, or pass `stale=True`.")
    video_filter = find_filter(database, request.sources, request.videos, request.languages, request.since, request.until)
    chosen = backfill.choose(database, stages or STAGES, request.only_stale, video_filter, request.limit)
    undated = backfill.count_undated(database, video_filter)
    if dry_run or not chosen:
        return Backfill(None, chosen, undated)
    title, forced = backfill_title(stages, request.only_stale), () if request.only_stale else stages
    backfill_id = backfill.launch(chosen, forced, title, database, open_instance(), keep_previous)
    return Backfill(backfill_id, chosen, undated)


def backfill_title(stages: Sequence[str], only_stale: bool) -> str:
    """The title of the backfill in the UI."""
    return " ".join([*stages, *(["what is out of date"] if only_stale else [])])


def backfill_progress(database: Database, backfill_id: str) -> backfill.Progress:
    return backfill.read_progress(database, open_instance(), backfill_id)


def cancel_backfill(backfill_id: str) -> None:
    backfill.cancel(open_instance(), backfill_id)
