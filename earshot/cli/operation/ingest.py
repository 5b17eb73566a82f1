"""`earshot ingest` and `retry`: turn sources into searchable videos, with a progress bar per video and a table of timings."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from earshot import open_library
from earshot.cli.arguments import Day, hint_options
from earshot.cli.output import describe_speed, json_option, json_rows, print_json, print_timing_table
from earshot.common.errors import EarshotError, SourceUnusable
from earshot.common.text import pluralize
from earshot.config.settings import read_settings
from earshot.library.videos import RETRIED_STATES, Video, videos_to_retry
from earshot.library.work.stages import STAGES

if TYPE_CHECKING:
    from earshot import Library
    from earshot.library.work.ingest import Outcome, Step, Tell, Watcher


@click.command("ingest")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many videos of each source.")
@click.option("--newest-first", is_flag=True, help="Start with the newest upload instead of the source's order.")
@click.option("--since", type=Day, metavar="DATE", help="Only videos uploaded on or after this day (UTC).")
@click.option("--dry-run", is_flag=True, help="Show what would run, and why other videos are left out.")
@click.option("--force", is_flag=True, help="Run every stage, even if it is current, and read sources that are paused.")
@hint_options
@json_option
def ingest_command(
    sources: tuple[str, ...],
    limit: int | None,
    newest_first: bool,
    since: datetime | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
    **hints: str | None,
) -> None:
    """Ingest videos from channels, playlists, feeds, files or folders.

    A SOURCE is a URL of a channel, playlist, feed or video, or a path. Without one, ingests the sources in sources.yaml.
    Videos that are up to date are skipped. A video that fails does not stop the others. Hints are kept for the videos that
    are new, and for a SOURCE that is a single video; `earshot hints` shows and changes them.
    """
    from earshot.library.sources.sources import named_sources
    from earshot.library.upkeep.hints import read_hints

    given = read_hints(**hints)
    try:
        chosen = named_sources(sources, limit, newest_first, since.date() if since else None)
    except SourceUnusable as error:
        raise click.UsageError(str(error)) from error
    if not chosen:
        raise click.UsageError(f"Name a SOURCE, or add some to {read_settings().sources} (see docs/guides/sources.md).")
    library = open_library()

    def work(tell: "Tell", progress: "Watcher") -> "Sequence[Outcome]":
        from earshot.library.work.ingest import IngestChoice, ingest_sources  # takes seconds, which `--help` should not

        return ingest_sources(library.database, chosen, IngestChoice(dry_run, force, given), tell, progress)

    _run(library, work, as_json, dry_run)


@click.command("retry")
@click.argument("video_ids", nargs=-1, metavar="[VIDEO...]")
@click.option("--state", type=click.Choice(RETRIED_STATES), help="Every video in this state.")
@json_option
def retry_command(video_ids: tuple[str, ...], state: str | None, as_json: bool) -> None:
    """Retry failed videos now.

    Takes VIDEOs, or with --state all videos in one state, whether they failed permanently, ran out of retries, or are waiting
    for the next one.
    """
    if bool(video_ids) == (state is not None):
        raise click.UsageError("Name VIDEOs or a --state; `earshot videos` lists them.")
    library = open_library()
    chosen = videos_to_retry(library.database, video_ids, state)

    def work(tell: "Tell", progress: "Watcher") -> "Sequence[Outcome]":
        from earshot.library.work.ingest import retry_videos

        return retry_videos(library.database, chosen, tell, progress)

    _run(library, work, as_json)


def _run(
    library: "Library", work: "Callable[[Tell, Watcher], Sequence[Outcome]]", as_json: bool, dry_run: bool = False
) -> None:
    """Do the work under a progress bar and print a report; the exit code is 1 if anything failed."""
    from earshot.library.work.ingest import finish_ingest

    bars = _ProgressBars(dry_run)
    with bars.progress:
        outcomes = work(bars.show, bars.advance)
        bars.print_current()
    try:
        speakers = finish_ingest(library.database, outcomes)
    except EarshotError:
        _report(outcomes, {}, library, as_json)
        raise
    _report(outcomes, speakers, library, as_json)
    if any(outcome.result == "failed" for outcome in outcomes):
        sys.exit(1)


class _ProgressBars:
    """On stderr, a progress bar for the running video and a line for each finished one.

    Videos that were left out are listed only with `list_left_out`; without it, current videos share one line.
    """

    def __init__(self, list_left_out: bool) -> None:
        self._list_left_out = list_left_out
        # A copy of stderr, because Dagster redirects the original into its log while a stage runs.
        terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding)
        self.console = Console(file=terminal, soft_wrap=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[stage]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._finished: set[str] = set()
        self._current: list[Outcome] = []

    def show(self, step: "Step") -> None:
        if isinstance(step, Video):
            self.begin(step)
        else:
            self.end(step)

    def begin(self, video: Video) -> None:
        self._finished.clear()
        self._task = self.progress.add_task(_plain(video.title), total=len(STAGES), stage="")

    def advance(self, stage: str, share: float) -> None:
        if self._task is None:
            return
        if share >= 1.0:
            self._finished.add(stage)
        self.progress.update(self._task, completed=len(self._finished), stage=describe_stage(stage, share))

    def end(self, outcome: "Outcome") -> None:
        if self._task is not None:
            self.progress.remove_task(self._task)
            self._task = None
        if outcome.result == "current" and not self._list_left_out:
            self._current.append(outcome)
        elif outcome.result != "left_out" or self._list_left_out:
            self.console.print(_line(outcome), markup=False)
        for failed in outcome.failed_checks:
            self.console.print(f"  ! {failed}", markup=False)

    def print_current(self) -> None:
        """Print one line for all current videos: a library may have thousands."""
        if len(self._current) == 1:
            self.console.print(_line(self._current[0]), markup=False)
        elif self._current:
            self.console.print(f"= {len(self._current):,} videos: up to date", markup=False)


def describe_stage(stage: str, share: float) -> str:
    """A label such as "transcript 40%", or only the stage before its first percent, as while its model loads."""
    percent = f"{share:.0%}"
    return stage if percent == "0%" else f"{stage} {percent}"


def _line(outcome: "Outcome") -> str:
    name = f"{_plain(outcome.video.title)} ({outcome.video.video_id})" if outcome.video else outcome.source
    stages = "all stages" if len(outcome.stages) == len(STAGES) else ", ".join(outcome.stages)
    reused = f" (reused: {', '.join(outcome.reused)})" if outcome.reused else ""
    if outcome.result == "failed":
        return f"✗ {name}: {outcome.error}" if outcome.video else f"✗ {outcome.error}"
    if outcome.result == "done":
        return f"✓ {name}: {stages}{reused}"
    if outcome.result == "left_out":
        return f"- {name}: left out ({outcome.reason})"
    if outcome.result == "planned":
        return f"· {name}: would run {stages}"
    return f"= {name}: up to date"


def _plain(title: str) -> str:
    """The title on one line."""
    return " ".join(title.split())


def _report(outcomes: Sequence["Outcome"], speakers: Mapping[str, float], library: "Library", as_json: bool) -> None:
    from earshot.library.work.ingest import ingest_timings

    summary = ingest_timings(library.database, outcomes)
    if as_json:
        print_json(
            {
                "outcomes": [_outcome_json(outcome) for outcome in outcomes],
                "speakers": speakers or None,
                "timings": json_rows(summary),
            }
        )
        return
    if not summary.empty:
        print_timing_table(summary)
        click.echo(describe_speed(summary))
    if speakers:
        click.echo(describe_speakers(speakers))
    click.echo(_counts(outcomes))


def describe_speakers(speakers: Mapping[str, float]) -> str:
    """Who speaks in the library, in one sentence. A person or voice is one over all videos; an appearance is in one video."""
    counts = {key: round(count) for key, count in speakers.items()}
    named = pluralize(counts["by_correction"] + counts["by_profile"], "appearance")
    voices, unknown = pluralize(counts["voices"], "anonymous voice"), pluralize(counts["unknown"], "unidentified speaker")
    return f"The library has {named} of named people, {voices} ({counts['recurring_voices']} in several videos), {unknown}."


def _counts(outcomes: Iterable["Outcome"]) -> str:
    results = [outcome.result for outcome in outcomes]
    words = {"done": "ingested", "current": "up to date", "planned": "to do", "left_out": "left out", "failed": "failed"}
    counts = [f"{results.count(result)} {word}" for result, word in words.items() if result in results]
    return ", ".join(counts) + "." if counts else "Nothing to do."


def _outcome_json(outcome: "Outcome") -> dict[str, Any]:
    video = outcome.video
    return {
        "source": outcome.source,
        "video_id": video.video_id if video else None,
        "title": video.title if video else None,
        "state": video.state if video else None,
        "result": outcome.result,
        "stages": list(outcome.stages),
        "reused": list(outcome.reused),
        "reason": outcome.reason or None,
        "error": outcome.error or None,
        "run_id": outcome.run_id or None,
        "failed_checks": list(outcome.failed_checks),
    }
