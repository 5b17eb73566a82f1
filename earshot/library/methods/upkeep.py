"""Methods of `Library` that keep the collection: what is at work, which videos and sources there are and which are removed."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from earshot.library.methods.opened import Opened

if TYPE_CHECKING:
    from earshot.config.hints import Hints
    from earshot.library.backup.backup import BackupSummary
    from earshot.library.backup.restore import RestoreSummary
    from earshot.library.sources.hints import SourceHints
    from earshot.library.sources.sources import WatchedSource
    from earshot.library.upkeep.at_work import AtWork
    from earshot.library.upkeep.metrics import LibraryMetrics, StageTotals
    from earshot.library.upkeep.removal import ExcludedVideo, Removal
    from earshot.library.videos import ListedVideo
    from ingest_assets.operations.retention import Expiry


class Upkeep(Opened):
    """Removes, pauses and adds."""

    def at_work(self) -> "AtWork":
        """Which videos are running now, how far they are, and what comes next."""
        from earshot.library.upkeep.at_work import read_at_work

        return read_at_work(self.database)

    def metrics(self) -> "LibraryMetrics":
        """What a monitoring system asks for every minute: timings by stage, videos, queue, sources, checks, workers, GPUs.

        The first call reads all timings, later ones only the new ones."""
        from earshot.library.upkeep.metrics import read_metrics

        return read_metrics(self.database, self._stage_totals)

    @cached_property
    def _stage_totals(self) -> "StageTotals":
        from earshot.library.upkeep.metrics import StageTotals

        return StageTotals()

    def queue_retry(self, video: str) -> "ListedVideo":
        """Like `retry()`, but by the daemon of a running `earshot up`. Raises EarshotError if that does not run."""
        from earshot.library.videos import queue_retry

        return queue_retry(self.database, video)

    def video_traces(self, video: str) -> "Removal":
        """What `remove_video()` would delete."""
        from earshot.library.upkeep.removal import video_traces

        return video_traces(self.database, video)

    def remove_video(self, video: str) -> "Removal":
        """Delete the video with its audio, transcript, speakers, vectors and corrections. No listing brings it back, but
        `readmit_video()` and `ingest()` of its URL do. Raises EarshotError while a run works on it. Loads Dagster."""
        from earshot.library.upkeep.removal import remove_video

        return remove_video(self.database, video)

    def expired(self) -> "Expiry":
        """What the sources of sources.yaml no longer keep, by `keep_days`, `keep_videos` and `keep_audio_days`. Loads Dagster.

        Raises Misconfigured if the file is invalid."""
        from ingest_assets.operations.retention import find_expired

        return find_expired(self.database)

    def remove_expired(self) -> "Expiry":
        """Remove what `expired()` returns, as `remove_video()` does; returns what was removed. What a run works on stays."""
        from ingest_assets.operations.retention import remove_expired

        return remove_expired(self.database)

    def why_audio_deleted(self, video_id: str) -> str:
        """When and why the stored audio of a video was deleted; "" if it was not."""
        from earshot.storage.stored_audio import why_deleted

        return why_deleted(self.database, video_id)

    def removed_videos(self, limit: int | None = None) -> "list[ExcludedVideo]":
        """The videos that no listing brings back, the last removed first."""
        from earshot.library.upkeep.removal import excluded_videos

        return excluded_videos(self.database, limit)

    def readmit_video(self, video_id: str) -> None:
        """Let the next poll bring a removed video back. Raises Unknown if it was not removed."""
        from earshot.library.upkeep.removal import readmit_video

        readmit_video(self.database, video_id)

    def source_traces(self, source: str) -> "Removal":
        """What `remove_source()` would delete."""
        from earshot.library.upkeep.removal import source_traces

        return source_traces(self.database, source)

    def remove_source(self, source: str) -> "Removal":
        """Delete all videos of the source, as `remove_video()` does, and take it out of sources.yaml. Loads Dagster."""
        from earshot.library.upkeep.removal import remove_source

        return remove_source(self.database, source)

    def add_source(self, address: str, kind: str | None = None, options: "Mapping[str, Any] | None" = None) -> "WatchedSource":
        """Write a source into sources.yaml, with options of docs/reference/sources-file.md; by default, guess its kind.

        Raises Misconfigured with every mistake in the new file, which then is not written."""
        from earshot.library.sources.editing import add_source
        from earshot.library.sources.sources import watched_source

        return watched_source(self.database, add_source(address, kind, options or {}).address)

    def pause_source(self, source: str, paused: bool = True) -> "WatchedSource":
        """Pause the source (name or address) in sources.yaml, or end its pause: while paused, it is not polled."""
        from earshot.library.sources.editing import pause_source
        from earshot.library.sources.sources import watched_source

        return watched_source(self.database, pause_source(source, paused).address)

    def source_hints(self, source: str) -> "SourceHints":
        """The hints for all videos of a source (name or address) of sources.yaml. Those of one video: `hints.of()`."""
        from earshot.library.sources.hints import source_hints

        return source_hints(self.database, source)

    def replace_source_hints(self, source: str, hints: "Hints") -> "SourceHints":
        """Write these hints for a source into sources.yaml, instead of all its own: `read_hints()` of
        earshot/library/upkeep/hints.py makes them. The stages of its videos that a change concerns become stale."""
        from earshot.library.sources.hints import replace_source_hints

        return replace_source_hints(self.database, source, hints)

    def unwatch_source(self, source: str) -> None:
        """Take the source (name or address) out of sources.yaml; its videos stay."""
        from earshot.library.sources.editing import forget_source

        forget_source(source)

    def sources(self) -> "list[WatchedSource]":
        """The sources of sources.yaml, in its order. Raises Misconfigured with every error in the file."""
        from earshot.library.sources.sources import describe_sources
        from earshot.storage.catalog.watched_sources import watched_sources

        watched = watched_sources()
        return describe_sources(self.database, watched)

    def source_names(self) -> dict[str, str]:
        """The names of the watched sources by address; none while sources.yaml is invalid."""
        from earshot.storage.catalog.watched_sources import source_names

        return source_names()

    def backup(self, target: str, tell: "Callable[[str], object]" = str) -> "BackupSummary":
        """Back up database, audio and the user's files to a folder or a URL such as s3://bucket/prefix, while others write.

        Replaces the former backup there once this one is complete; copies only audio that it does not have yet. Calls `tell`
        with what is done now. Raises EarshotError if the place has other files or cannot be written to.
        """
        from earshot.library.backup.backup import back_up

        return back_up(self.database, target, tell)

    def restore(self, source: str, tell: "Callable[[str], object]" = str) -> "RestoreSummary":
        """Restore a backup into this library, which must be empty. Verifies the backup before it changes the database.

        Raises EarshotError if the library has anything or is in use, if the backup is damaged; DatabaseUnusable if newer code
        wrote it.
        """
        from earshot.library.backup.restore import restore

        return restore(source, tell)
