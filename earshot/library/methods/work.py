"""Methods of `Library` that run stages: ingest, retry, backfill. Dagster does the work, here or in its daemon."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from earshot.library.methods.opened import Opened

if TYPE_CHECKING:
    from earshot.library.lookup import Names
    from earshot.library.work.backfill import Backfill, BackfillResult
    from earshot.library.work.ingest import IngestResult, Tell, Watcher
    from ingest_assets.operations.backfill import Progress
    from ingest_assets.stages.staleness import StaleStage


class Work(Opened):
    """Ingests and backfills."""

    def stale(self, stages: "Names" = ()) -> "list[StaleStage]":
        """The stages of videos that are out of date after a change of code or model, among these stages or all."""
        from earshot.library.work.stages import stale_stages

        return stale_stages(self.database, stages)

    def ingest(
        self,
        *sources: str,
        limit: int | None = None,
        newest_first: bool = False,
        since: date | None = None,
        dry_run: bool = False,
        force: bool = False,
        hints: "Mapping[str, Any] | None" = None,
        tell: "Tell" = lambda _step: None,
        progress: "Watcher" = lambda _stage, _share: None,
    ) -> "IngestResult":
        """Ingest URLs of channels, playlists, feeds or videos, files and folders in this process; by default, sources.yaml.

        Takes at most `limit` videos of each source, uploaded on or after `since` (UTC). `hints`, such as `{"speakers": 2}`, are
        kept for the videos that are new, and for one that is named itself. Calls `tell` with each video when it starts and each
        outcome, and `progress` with the running stage and its share done, 0 to 1. A failed video is an outcome; Misconfigured
        (say, no device or model) ends everything. Loads Dagster.
        """
        from earshot.library.sources.sources import named_sources
        from earshot.library.upkeep.hints import read_hints
        from earshot.library.work.ingest import IngestChoice, IngestResult, finish_ingest, ingest_sources

        chosen = named_sources(sources, limit, newest_first, since)
        choice = IngestChoice(dry_run, force, read_hints(**(hints or {})))
        outcomes = ingest_sources(self.database, chosen, choice, tell, progress)
        return IngestResult(outcomes, finish_ingest(self.database, outcomes))

    def retry(
        self,
        *videos: str,
        state: str | None = None,
        tell: "Tell" = lambda _step: None,
        progress: "Watcher" = lambda _stage, _share: None,
    ) -> "IngestResult":
        """Retry these videos now, or all in one state, whether they failed permanently, ran out of retries, or await one.

        Returns and calls as `ingest()` does. Loads Dagster.
        """
        from earshot.library.videos import videos_to_retry
        from earshot.library.work.ingest import IngestResult, finish_ingest, retry_videos

        outcomes = retry_videos(self.database, videos_to_retry(self.database, videos, state), tell, progress)
        return IngestResult(outcomes, finish_ingest(self.database, outcomes))

    def backfill(
        self,
        stages: "Names" = (),
        *,
        stale: bool = False,
        sources: "Names" = (),
        videos: "Names" = (),
        languages: "Names" = (),
        since: date | None = None,
        until: date | None = None,
        limit: int | None = None,
        keep_previous: bool = False,
        dry_run: bool = False,
    ) -> "Backfill":
        """Run stages, and those made from them, again for all videos; `stale`: only stages that are out of date.

        Dagster's daemon does the work while `earshot up` runs. `limit` takes only the newest videos; `keep_previous` keeps the
        replaced rows in schema `previous`; `dry_run` starts nothing. Loads Dagster.
        """
        from earshot.library.work.backfill import BackfillRequest, start_backfill

        request = BackfillRequest(stages, stale, sources, videos, languages, since, until, limit)
        return start_backfill(self.database, request, keep_previous, dry_run)

    def backfill_progress(self, backfill_id: str) -> "Progress":
        """The progress of a backfill in videos, also of one started in the UI. Raises EarshotError if there is none."""
        from earshot.library.work.backfill import backfill_progress

        return backfill_progress(self.database, backfill_id)

    def follow_backfill(self, backfill_id: str, every_s: float = 2.0) -> "Iterator[Progress]":
        """The progress now and every so many seconds, until the backfill has ended."""
        from earshot.library.work.backfill import follow_backfill

        return follow_backfill(self.database, backfill_id, every_s)

    def backfill_result(self, backfill_id: str) -> "BackfillResult":
        """What a backfill has changed, with its progress. Raises EarshotError if there is none."""
        from earshot.library.work.backfill import backfill_result

        return backfill_result(self.database, backfill_id)

    def cancel_backfill(self, backfill_id: str) -> None:
        """Cancel the backfill; finished videos stay as they are. Raises EarshotError if it has ended."""
        from earshot.library.work.backfill import cancel_backfill

        cancel_backfill(backfill_id)
