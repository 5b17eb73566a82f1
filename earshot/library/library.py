"""The library as one object: `open_library()` and what can be asked of it.

Names are as the command line takes them: a video by its key or title, a source by its address or its name in sources.yaml, a
person by name, an anonymous voice as `voice 7`. Which library it is says `EARSHOT_HOME` or earshot.toml, as for the command
line (earshot/config/settings.py).

What needs numpy, torch or Dagster is imported by the method that needs it. Changes and ingests are for one thread at a time.
"""

from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from earshot.library.corrections import Corrections
    from earshot.library.exports import ExportSummary
    from earshot.library.lookup import Names
    from earshot.library.people import People
    from earshot.library.runs import Backfill, IngestResult
    from earshot.library.search import SearchResult
    from earshot.library.sources import WatchedSource
    from earshot.library.transcript import Transcript
    from earshot.library.videos import ListedVideo
    from earshot.storage.catalog.videos import Video
    from earshot.storage.database import Database
    from earshot.timings.comparison import Comparison
    from ingest_assets.operations.backfill import Progress
    from ingest_assets.operations.ingest import Outcome


def open_library() -> "Library":
    """The library of this `EARSHOT_HOME`, made where there is none; its Postgres is started by need.

    Raises Misconfigured where a setting is wrong, DatabaseUnusable where the database cannot be reached or is newer than this
    code.
    """
    library = Library()
    _ = library.database  # opened now, so that what is wrong is raised here
    return library


class Library:
    """One library. Every method raises EarshotError where a name is not known or a server cannot be reached: the message says
    what was wrong, `remedy` what to do."""

    @cached_property
    def database(self) -> "Database":
        """The tables, for questions of your own: `library.database.query("SELECT ...")` returns rows as dictionaries."""
        from earshot.storage.database import open_database

        return open_database()

    # --- reading -----------------------------------------------------------------------------------------------------------

    def search(
        self,
        question: str,
        *,
        limit: int = 5,
        page: int = 1,
        speaker: str | None = None,
        sources: "Names" = (),
        videos: "Names" = (),
        languages: "Names" = (),
        since: date | None = None,
        until: date | None = None,
        words_only: bool = False,
    ) -> "SearchResult":
        """The passages that answer, by meaning and by words: page `page` of `limit` each, of the 200 best.

        `"several words"` in double quotes must be said in this order, `-word` must not be said. `languages` are codes such as
        `en`; `since` and `until` days (UTC) of publishing, both within the range. `words_only` searches by words alone and
        loads no model; otherwise the text model is loaded once, onto the device of the settings (or GpuUnavailable is raised).
        """
        from earshot.library.search import Question, answer, searching_device

        asked = Question(question, limit, page, speaker, sources, videos, languages, since, until)
        device = searching_device(words_only)  # before a server is started
        return answer(self.database, asked, device)

    def videos(self, state: str | None = None, limit: int | None = None) -> "list[ListedVideo]":
        """All videos, or those in one state (`ready`, `failed`, `queued`, ...), or the first: newest upload first, undated
        ones last."""
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).first(limit)

    def stream_videos(self, state: str | None = None) -> "Iterator[ListedVideo]":
        """As `videos()`, one by one, for a library that is too large to hold; within one transaction, open until the last."""
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).stream()

    def transcript(self, video: str, speaker: str | None = None) -> "Transcript":
        """What is said in this video, or what one person or voice says in it.

        Raises NotTranscribed where there is no such video or nothing of what is said, InconsistentVideo while it is ingested
        again.
        """
        from earshot.library.transcript import read_transcript

        return read_transcript(self.database, video, speaker)

    def export(
        self,
        folder: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """Write a file for each of these videos, of this source's, or of all, into the folder, which is made by need.

        `format` is srt, vtt, txt, json, rttm or seglst. With `speaker` only what this person or voice says. Files are written
        whole; an earlier export of the same video is replaced.
        """
        from earshot.library.exports import export_folder

        return export_folder(self.database, Path(folder), format, videos, source, speaker)

    def export_file(
        self,
        path: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """As `export()`, all into one file; several videos as json are JSON Lines, and as srt or vtt an EarshotError."""
        from earshot.library.exports import export_file

        return export_file(self.database, Path(path), format, videos, source, speaker)

    @cached_property
    def people(self) -> "People":
        """Who is known: list, show, rename, merge, remove and forget people and voices."""
        from earshot.library.people import People

        return People(self.database)

    @cached_property
    def corrections(self) -> "Corrections":
        """What was said to be wrong about who speaks: list, add and undo it. Naming a voice is `corrections.assign()`."""
        from earshot.library.corrections import Corrections

        return Corrections(self.database)

    # --- upkeep ------------------------------------------------------------------------------------------------------------

    def sources(self) -> "list[WatchedSource]":
        """The sources of sources.yaml, in its order. Raises Misconfigured with everything that is wrong with the file."""
        from earshot.library.sources import describe_sources
        from earshot.storage.catalog.watched_sources import watched_sources

        watched = watched_sources()
        return describe_sources(self.database, watched)

    def timings(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """A row for each run of a stage, oldest first: of one video's key, of the last so many days, the newest 50,000.

        Columns: video_id, asset (the stage), recorded_at, run_id, code_version, git_commit, speed, and the keys of
        docs/reference/timings.md: `_s` are seconds, `rtf` compute seconds per second of audio, `x_realtime` times real time.
        """
        import pandas as pd

        from earshot.timings.queries import ROW_KEYS, read_timings

        return pd.DataFrame(read_timings(self.database, video, days), columns=list(ROW_KEYS))

    def timings_report(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """A row per stage, and the last, `total`, of the last run of each stage of each video; empty without timings.

        Columns: asset, videos, audio_s, wall_s, load_s, compute_s, rtf, x_realtime, items, items_per_s, device, share (of the
        work), trend (seconds per input now to before), gpu_util_mean (percent), cache_rate (0 to 1). NaN where there is none.
        """
        from earshot.storage.catalog.stages import STAGES
        from earshot.timings.queries import read_timings
        from earshot.timings.report import report

        return report(read_timings(self.database, video, days), STAGES)

    def compare_timings(self, a: str, b: str, days: float | None = None) -> "list[Comparison]":
        """Each stage with version B against A: commits (`HEAD~1` too) or code versions. Raises Misconfigured for another."""
        from earshot.timings.comparison import compare
        from earshot.timings.queries import read_timings
        from earshot.timings.timing import commit_named

        return compare(read_timings(self.database, days=days), a, b, commit_named)

    def stale(self, stages: "Names" = ()) -> "pd.DataFrame":
        """What is out of date of these stages, or all, after a change of code or model: a row for each stage of each video.

        Columns: video_id, title, source, stage, reason, took_s (seconds that the stage took last time, without loading models;
        NaN where it never ran).
        """
        from earshot.library.lookup import known_stages
        from earshot.storage.catalog.stages import STAGES
        from ingest_assets.stages.staleness import read_stale

        return read_stale(self.database, known_stages(stages) or STAGES)

    # --- work, by Dagster ----------------------------------------------------------------------------------------------------

    def ingest(
        self,
        *sources: str,
        limit: int | None = None,
        newest_first: bool = False,
        since: date | None = None,
        dry_run: bool = False,
        force: bool = False,
        tell: "Callable[[Outcome | Video], object]" = lambda _step: None,
    ) -> "IngestResult":
        """Ingest URLs of channels, playlists, feeds or videos, files and folders, in this process; without any, sources.yaml's.

        `limit` videos of each source at most, uploads of day `since` (UTC) and later. `tell` is called with each video as it
        begins and each outcome as it ends. A video that fails is an outcome; Misconfigured ends everything: the device or a
        model is not there. It loads Dagster.
        """
        from earshot.library.runs import IngestChoice, ingest_sources
        from earshot.library.sources import named_sources

        chosen = named_sources(sources, limit, newest_first, since)
        return ingest_sources(self.database, chosen, IngestChoice(dry_run=dry_run, force=force), tell)

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
        """Have stages run again, and what is made from them: of all videos, or with `stale` of what is out of date.

        Dagster's daemon does it while `earshot up` runs. `limit` counts videos, the newest first; `keep_previous` keeps what is
        replaced in schema `previous`; with `dry_run` nothing is started. It loads Dagster.
        """
        from earshot.library.runs import BackfillRequest, start_backfill

        request = BackfillRequest(stages, stale, sources, videos, languages, since, until, limit)
        return start_backfill(self.database, request, keep_previous, dry_run)

    def backfill_progress(self, backfill_id: str) -> "Progress":
        """How far a backfill is, in videos; also one from the UI. Raises EarshotError where there is none."""
        from earshot.library.runs import backfill_progress

        return backfill_progress(self.database, backfill_id)

    def cancel_backfill(self, backfill_id: str) -> None:
        """Ask Dagster to stop it; what was done stays. Raises EarshotError where it has ended."""
        from earshot.library.runs import cancel_backfill

        cancel_backfill(backfill_id)
