"""Ingest in this process: sources, retries, and what follows over all videos. Importing this module loads Dagster."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.timings.report import summarize
from ingest_assets.operations import ingest as operations
from ingest_assets.operations.ingest import IngestChoice, Outcome
from ingest_assets.stages.progress import Watcher, watching
from resources.instance.home import open_instance

if TYPE_CHECKING:
    import pandas as pd

Step = Outcome | Video  # a video when it starts, and each outcome
Tell = Callable[[Step], object]


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


def ingest_sources(
    database: Database, sources: Sequence[Source], choice: IngestChoice, tell: Tell, progress: Watcher
) -> tuple[Outcome, ...]:
    """Ingest one video after another. Calls `tell` with each step, and `progress` with the running stage."""
    if not sources:
        raise EarshotError(f"No source is named, and {read_settings().sources} has none.", "Name a URL, a file or a folder.")
    return _outcomes(operations.ingest(sources, choice, database, open_instance()), tell, progress)


def retry_videos(database: Database, videos: Sequence[Video], tell: Tell, progress: Watcher) -> tuple[Outcome, ...]:
    """Ingest these videos now, whatever their states."""
    return _outcomes(operations.retry(videos, database, open_instance()), tell, progress)


def _outcomes(steps: Iterator[Step], tell: Tell, progress: Watcher) -> tuple[Outcome, ...]:
    outcomes = []
    with watching(progress):
        for step in steps:
            tell(step)
            if isinstance(step, Outcome):
                outcomes.append(step)
    return tuple(outcomes)


def finish_ingest(database: Database, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """If videos were ingested, update the search index and identify all speakers; returns the counts of the latter."""
    if not any(outcome.result == "done" for outcome in outcomes):
        return {}
    instance = open_instance()
    operations.keep_search_index(database, instance)
    return operations.identify_speakers(instance)


def ingest_timings(database: Database, outcomes: Sequence[Outcome]) -> "pd.DataFrame":
    """What the runs of these outcomes cost: one row per stage and a last row `total`; empty if nothing ran."""
    run_ids = [outcome.run_id for outcome in outcomes if outcome.run_id]
    rows = database.query("SELECT * FROM asset_timings WHERE run_id = ANY(%s) ORDER BY timing_id", [run_ids])
    return summarize(rows, STAGES)
