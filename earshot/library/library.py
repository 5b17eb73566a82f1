"""The library as one object: `open_library()` and the methods of `Library`.

Names are those of the command line: a video is named by its key or title, a source by its address or its name in sources.yaml,
a person by name, an anonymous voice as `voice 7`. `EARSHOT_HOME` or earshot.toml selects the library, as for the command line
(earshot/config/settings.py).

Each method imports numpy, torch or Dagster only if it needs them. Change and ingest from one thread at a time.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from earshot.library.hints import VideoHints
    from earshot.library.lookup import Names
    from earshot.library.people.corrections import Corrections
    from earshot.library.people.people import People
    from earshot.library.reading.exports import ExportSummary
    from earshot.library.reading.facets import Facets
    from earshot.library.reading.playing import Playback
    from earshot.library.reading.question import Question, SearchResult
    from earshot.library.reading.reader import ReadableTranscript
    from earshot.library.reading.sound import Sound
    from earshot.library.reading.transcript import Transcript
    from earshot.library.sources import WatchedSource
    from earshot.library.timings import StageSummary, StageTiming, TimedRun
    from earshot.library.upkeep.at_work import AtWork
    from earshot.library.upkeep.removal import ExcludedVideo, Removal
    from earshot.library.videos import ListedPage, ListedVideo
    from earshot.library.word_corrections import WordCorrections
    from earshot.library.work.backfill import Backfill, BackfillResult
    from earshot.library.work.ingest import IngestResult, Tell, Watcher
    from earshot.storage.database import Database
    from earshot.timings.comparison import Comparison
    from earshot.timings.queries import OpenFailure
    from earshot.transcripts.search.query import Embed
    from ingest_assets.operations.backfill import Progress
    from ingest_assets.stages.staleness import StaleStage


def open_library() -> "Library":
    """The library of this `EARSHOT_HOME`, created if there is none. Starts its Postgres if necessary.

    Raises Misconfigured if a setting is wrong, DatabaseUnusable if the database cannot be reached or is newer than this code.
    """
    library = Library()
    _ = library.database  # opened now, so that errors are raised here
    return library


class Library:
    """One library. Every method raises EarshotError if a name is unknown or a server cannot be reached; its message says what
    was wrong, and its `remedy` what to do."""

    def __init__(self, measured_as: str | None = None) -> None:
        """`measured_as`: measure some of the questions as those of this server (docs/reference/timings.md)."""
        self._measured_as = measured_as

    @cached_property
    def database(self) -> "Database":
        """The database, for your own queries: `library.database.query("SELECT ...")` returns rows as dictionaries."""
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
        """Search by meaning and by words: returns page `page`, of `limit` passages each, of the 200 best.

        `"several words"` in double quotes must occur in this order; `-word` must not occur. `languages` are codes such as `en`;
        `since` and `until` are the first and last day (UTC) of publication. `words_only` searches by words alone and loads no
        model; otherwise the text model is loaded once, onto the device of the settings (raises GpuUnavailable).
        """
        from earshot.library.reading.question import Question

        asked = Question(question, limit, page, speaker, sources, videos, languages, since, until)
        return self.answer(asked, words_only)

    def answer(self, question: "Question", words_only: bool = False) -> "SearchResult":
        """`search()` with question and filters as one object."""
        from earshot.library.reading.search import answer, search_device

        device = search_device(words_only)  # raises its errors before a server is started
        return answer(self.database, question, device, self._embed)

    @cached_property
    def _embed(self) -> "Embed":
        """How questions are embedded; some of them are measured if this is a server."""
        if self._measured_as is None:
            from earshot.transcripts.search.query import embed_question

            return embed_question
        from earshot.library.reading.question_meter import QuestionMeter

        return QuestionMeter(self._measured_as).embed

    def search_facets(self, question: "Question", words_only: bool = False) -> "Facets":
        """Of the 200 best passages: how many each person, source, language and year has."""
        from earshot.library.reading.search import facets, search_device

        device = search_device(words_only)
        return facets(self.database, question, device)

    def video(self, name: str) -> "ListedVideo":
        """The video with this key or title. Raises Unknown if there is none."""
        from earshot.library.videos import find_video

        return find_video(self.database, name)

    def videos(self, state: str | None = None, limit: int | None = None) -> "list[ListedVideo]":
        """The videos, or those in one state (`ready`, `failed`, `queued`, ...): newest upload first, undated ones last.

        Returns all of them without a limit.
        """
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).first(limit)

    def stream_videos(self, state: str | None = None) -> "Iterator[ListedVideo]":
        """Like `videos()`, one at a time, for a library that does not fit into memory. Its transaction stays open meanwhile."""
        from earshot.library.videos import find_videos

        return find_videos(self.database, state).stream()

    def transcript(self, video: str, speaker: str | None = None) -> "Transcript":
        """The transcript of this video, or what one person or voice says in it.

        Raises NotTranscribed if the video has no transcript, InconsistentVideo while it is being ingested again.
        """
        from earshot.library.reading.transcript import read_transcript

        return read_transcript(self.database, video, speaker)

    def readable_transcript(self, video: str) -> "ReadableTranscript":
        """The transcript by paragraphs of one speaker, with the time of every word: what a page shows.

        Raises NotTranscribed if the video has no transcript, InconsistentVideo while it is being ingested again.
        """
        from earshot.library.reading.reader import read

        return read(self.database, video)

    def sound(self, video: str) -> "Sound":
        """The stored audio of a video as bytes. Raises Unknown if it has none, EarshotError if the file is gone."""
        from earshot.library.reading.sound import find_sound

        return find_sound(self.database, video)

    def export(
        self,
        folder: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """Write one file per video into the folder: these videos, those of a source, or all. Creates the folder if necessary.

        `format` is srt, vtt, txt, json, rttm or seglst. `speaker`: only what this person or voice says. Replaces an earlier
        export of the same video; readers never see half a file.
        """
        from earshot.library.reading.exports import Export

        export = Export(self.database, format, videos, source, speaker)
        export.to_folder(Path(folder))
        return export.summary

    def export_file(
        self,
        path: Path | str,
        format: str = "txt",
        *,
        videos: "Names" = (),
        source: str | None = None,
        speaker: str | None = None,
    ) -> "ExportSummary":
        """Like `export()`, into one file. Several videos as json become JSON Lines; as srt or vtt they raise EarshotError."""
        from earshot.library.reading.exports import Export

        export = Export(self.database, format, videos, source, speaker)
        export.to_file(Path(path))
        return export.summary

    def playback(self, what: str) -> "Playback":
        """The command that plays result `2` of the last `earshot search`, or a video from a time: `VIDEO@0:12:30`.

        Raises EarshotError if no player is installed, or the audio is not on this machine.
        """
        from earshot.library.reading.playing import find_playback

        return find_playback(self.database, what)

    @cached_property
    def people(self) -> "People":
        """People and voices: list, show, rename, merge, remove and forget them."""
        from earshot.library.people.people import People

        return People(self.database)

    @cached_property
    def corrections(self) -> "Corrections":
        """Corrections of who speaks: list, enter and undo them. `corrections.assign()` names a voice."""
        from earshot.library.people.corrections import Corrections

        return Corrections(self.database)

    @cached_property
    def hints(self) -> "VideoHints":
        """Hints for videos, such as the number of speakers or names that are said: read, give and clear them."""
        from earshot.library.hints import VideoHints

        return VideoHints(self.database)

    @cached_property
    def word_corrections(self) -> "WordCorrections":
        """Corrections of words: list, enter and undo them."""
        from earshot.library.word_corrections import WordCorrections

        return WordCorrections(self.database)

    # --- upkeep ------------------------------------------------------------------------------------------------------------

    def video_page(
        self,
        state: str | None = None,
        source: str | None = None,
        text: str = "",
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> "ListedPage":
        """One page of `videos()`, also of one source, or with these words in the title or this key; `after` is `next` of the
        page before."""
        from earshot.library.videos import list_page

        return list_page(self.database, state, source, text, after, limit)

    def at_work(self) -> "AtWork":
        """Which videos are running now, how far they are, and what comes next."""
        from earshot.library.upkeep.at_work import read_at_work

        return read_at_work(self.database)

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
        from earshot.library.sources import watched_source
        from earshot.library.upkeep.source_editing import add_source

        return watched_source(self.database, add_source(address, kind, options or {}).address)

    def pause_source(self, source: str, paused: bool = True) -> "WatchedSource":
        """Pause the source (name or address) in sources.yaml, or end its pause: while paused, it is not polled."""
        from earshot.library.sources import watched_source
        from earshot.library.upkeep.source_editing import pause_source

        return watched_source(self.database, pause_source(source, paused).address)

    def unwatch_source(self, source: str) -> None:
        """Take the source (name or address) out of sources.yaml; its videos stay."""
        from earshot.library.upkeep.source_editing import forget_source

        forget_source(source)

    def sources(self) -> "list[WatchedSource]":
        """The sources of sources.yaml, in its order. Raises Misconfigured with every error in the file."""
        from earshot.library.sources import describe_sources
        from earshot.storage.catalog.watched_sources import watched_sources

        watched = watched_sources()
        return describe_sources(self.database, watched)

    def source_names(self) -> dict[str, str]:
        """The names of the watched sources by address; none while sources.yaml is invalid."""
        from earshot.storage.catalog.watched_sources import source_names

        return source_names()

    def timings(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """One row per run of a stage, oldest first: of one video (key), of the last `days` days; at most the newest 50,000.

        Columns: video_id, asset (the stage), recorded_at, run_id, code_version, git_commit, speed, and the keys of
        docs/reference/timings.md: `_s` are seconds, `rtf` compute seconds per second of audio, `x_realtime` times real time.
        """
        import pandas as pd

        from earshot.timings.queries import ROW_KEYS, read_timings

        return pd.DataFrame(read_timings(self.database, video, days), columns=list(ROW_KEYS))

    def timings_report(self, video: str | None = None, days: float | None = None) -> "pd.DataFrame":
        """One row per stage and a last row `total`, over the last run of each stage of each video; empty without timings.

        Columns: asset, videos, audio_s, wall_s, load_s, compute_s, rtf, x_realtime, items, items_per_s, device, share (of the
        work), trend (seconds per input, now / before), gpu_util_mean (percent), cache_rate (0 to 1). Missing values are NaN.
        """
        from earshot.library.timings import read_report

        return read_report(self.database, video, days).stages

    def stream_timings(self, video: str | None = None, days: float | None = None) -> "Iterator[dict[str, Any]]":
        """The rows of `timings()` one at a time and without a limit, as dictionaries. Its transaction stays open meanwhile."""
        from earshot.library.timings import stream_rows

        return stream_rows(self.database, video, days)

    def stage_report(self) -> "list[StageSummary]":
        """`timings_report()` as objects, with the latest timings of each stage as a series."""
        from earshot.library.timings import stage_report

        return stage_report(self.database)

    def timing_page(
        self, stage: str | None = None, video: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> "list[TimedRun]":
        """The newest timings, of one stage or one video (key); `before` is the number of the last one of the page before."""
        from earshot.library.timings import timing_page

        return timing_page(self.database, stage, video, before, limit)

    def stage_timings(self, video: str) -> "list[StageTiming]":
        """What each stage of a video (key) took when it last ran."""
        from earshot.library.timings import stage_timings

        return stage_timings(self.database, video)

    def failing_checks(self, video: str | None = None) -> "list[OpenFailure]":
        """The checks of stages that failed in the last seven days, newest first, of one video (key) or all."""
        from earshot.library.timings import failing_checks

        return failing_checks(self.database, video)

    def plot_timings(self, path: Path | str, video: str | None = None, days: float | None = None) -> None:
        """Write a plot of these timings to a .png, .svg or .pdf file."""
        from earshot.library.timings import check_plot, read_report

        check_plot(Path(path))
        read_report(self.database, video, days).plot(Path(path))

    def accept_speed(self, stage: str) -> int:
        """Accept the present speed of a stage as its new baseline; returns how many timings no longer count."""
        from earshot.library.timings import accept_speed

        return accept_speed(self.database, stage)

    def compare_timings(self, a: str, b: str, video: str | None = None, days: float | None = None) -> "list[Comparison]":
        """Compare version B with A for each stage. Both are commits (also `HEAD~1`) or code versions; others raise
        Misconfigured."""
        from earshot.library.timings import read_report

        return read_report(self.database, video, days).compare(a, b)

    def stale(self, stages: "Names" = ()) -> "list[StaleStage]":
        """The stages of videos that are out of date after a change of code or model, among these stages or all."""
        from earshot.library.stages import stale_stages

        return stale_stages(self.database, stages)

    # --- work, by Dagster ----------------------------------------------------------------------------------------------------

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
        from earshot.library.hints import read_hints
        from earshot.library.sources import named_sources
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
