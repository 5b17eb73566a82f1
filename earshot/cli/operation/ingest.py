"""`earshot ingest` and `retry`: sources in, searchable videos out, with a bar per video and the table of what it cost."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from earshot.cli.arguments import Day
from earshot.cli.output import describe_speed, json_option, json_rows, print_json, print_timing_table
from earshot.common.errors import EarshotError, SourceUnusable
from earshot.config.settings import read_settings
from earshot.library.lookup import known_video
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import STATES, Video, list_videos
from earshot.storage.database import Database, open_database
from earshot.timings.timing import summarize
from ingest_assets.stages.progress import described, watching

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from earshot.config.sources_file import Source
    from ingest_assets.operations.ingest import Outcome


@click.command("ingest")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many videos of each source.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest upload instead of the source's order.")
@click.option("--since", type=Day, metavar="DATE", help="Only uploads of this day (UTC) and later.")
@click.option("--dry-run", is_flag=True, help="List what would be done, and why each other video is left out; do nothing.")
@click.option("--force", is_flag=True, help="Run every stage again, also where it is current; ask also what is paused.")
@json_option
def ingest_command(
    sources: tuple[str, ...],
    limit: int | None,
    newest_first: bool,
    since: datetime | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Ingest SOURCEs: URLs of channels, playlists, feeds or videos; files; folders. Without any, those of sources.yaml.

    Videos that are current are skipped; one that fails is told, and the others go on.
    """
    from earshot.library.sources import named_sources

    try:
        chosen = named_sources(sources, limit, newest_first, since.date() if since else None)
    except SourceUnusable as error:
        raise click.UsageError(str(error)) from error
    if not chosen:
        raise click.UsageError(f"Name a SOURCE, or write some into {read_settings().sources} (see docs/guides/sources.md).")
    _run(lambda *kept: _ingest(chosen, dry_run, force, *kept), as_json, dry_run)


@click.command("retry")
@click.argument("video_ids", nargs=-1, metavar="[VIDEO...]")
@click.option("--state", type=click.Choice([state for state in STATES if state != "ready"]), help="Every video in this state.")
@json_option
def retry_command(video_ids: tuple[str, ...], state: str | None, as_json: bool) -> None:
    """Try VIDEOs again now, or all in one state: also what failed for good, was given up, or waits for its next try."""
    if bool(video_ids) == (state is not None):
        raise click.UsageError("Name videos, or --state; `earshot videos` lists them.")
    database = open_database()
    chosen = [known_video(database, video_id) for video_id in video_ids] if state is None else list_videos(database, state)
    _run(lambda *kept: _retry(chosen, *kept), as_json)


# Imported in these two: the asset graph and yt-dlp take seconds, and `earshot --help` should not.
def _ingest(
    sources: "Sequence[Source]", dry_run: bool, force: bool, database: Database, instance: "DagsterInstance"
) -> "Iterator[Outcome | Video]":
    from ingest_assets.operations.ingest import IngestChoice, ingest

    return ingest(sources, IngestChoice(dry_run=dry_run, force=force), database, instance)


def _retry(chosen: Sequence[Video], database: Database, instance: "DagsterInstance") -> "Iterator[Outcome | Video]":
    from ingest_assets.operations.ingest import retry

    return retry(chosen, database, instance)


def _run(
    work: "Callable[[Database, DagsterInstance], Iterator[Outcome | Video]]", as_json: bool, dry_run: bool = False
) -> None:
    """Do the work under a progress bar and report it; the exit code is 1 where something failed."""
    from earshot.library.runs import finish_ingest
    from resources.instance.home import open_instance

    # Dagster's instance first: it starts the server and tells where Dagster's files are.
    instance, database = open_instance(), open_database()
    watch = _Watch(dry_run)
    outcomes: list[Outcome] = []
    with watch.bars, watching(watch.advance):
        for step in work(database, instance):
            if isinstance(step, Video):
                watch.begin(step)
            else:
                outcomes.append(step)
                watch.end(step)
        watch.tell_current()
    try:
        speakers = finish_ingest(database, instance, outcomes)
    except EarshotError:
        _report(outcomes, {}, database, as_json)
        raise
    _report(outcomes, speakers, database, as_json)
    if any(outcome.result == "failed" for outcome in outcomes):
        sys.exit(1)


class _Watch:
    """Draws the bar of the video at work, and a line for each that ended, on stderr; for what is left out only if told to, and
    one for all that were current.
    """

    def __init__(self, tell_left_out: bool) -> None:
        self._tell_left_out = tell_left_out
        # A copy of stderr: while a stage runs, Dagster turns the process's own into its log of that stage.
        terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding)
        self.console = Console(file=terminal, soft_wrap=True, highlight=False)
        self.bars = Progress(
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

    def begin(self, video: Video) -> None:
        self._finished.clear()
        self._task = self.bars.add_task(_plain(video.title), total=len(STAGES), stage="")

    def advance(self, stage: str, share: float) -> None:
        if self._task is None:
            return
        if share >= 1.0:
            self._finished.add(stage)
        self.bars.update(self._task, completed=len(self._finished), stage=described(stage, share))

    def end(self, outcome: "Outcome") -> None:
        if self._task is not None:
            self.bars.remove_task(self._task)
            self._task = None
        if outcome.result == "current" and not self._tell_left_out:
            self._current.append(outcome)
        elif outcome.result != "left_out" or self._tell_left_out:
            self.console.print(_line(outcome), markup=False)
        for failed in outcome.failed_checks:
            self.console.print(f"  ! {failed}", markup=False)

    def tell_current(self) -> None:
        """One line for all that were current: a library may have thousands."""
        if len(self._current) == 1:
            self.console.print(_line(self._current[0]), markup=False)
        elif self._current:
            self.console.print(f"= {len(self._current):,} videos: current, nothing to do", markup=False)


def _line(outcome: "Outcome") -> str:
    name = f"{_plain(outcome.video.title)} ({outcome.video.video_id})" if outcome.video else outcome.source
    stages = "all stages" if len(outcome.stages) == len(STAGES) else ", ".join(outcome.stages)
    reused = f" (reused: {', '.join(outcome.reused)})" if outcome.reused else ""
    if outcome.result == "failed":
        return f"✗ {name}: {outcome.error}" if outcome.video else f"✗ {outcome.error}"
    if outcome.result == "done":
        return f"✓ {name}: {stages}{reused}"
    if outcome.result == "left_out":
        return f"- {name}: left out, {outcome.reason}"
    if outcome.result == "planned":
        return f"· {name}: would run {stages}"
    return f"= {name}: current, nothing to do"


def _plain(title: str) -> str:
    """A title on one line."""
    return " ".join(title.split())


def _report(outcomes: Sequence["Outcome"], speakers: Mapping[str, float], database: Database, as_json: bool) -> None:
    rows = _timing_rows(database, [outcome.run_id for outcome in outcomes if outcome.run_id])
    summary = summarize(rows, STAGES)
    if as_json:
        print_json(
            {
                "outcomes": [_outcome_json(outcome) for outcome in outcomes],
                "speakers": speakers or None,
                "timings": json_rows(summary),
            }
        )
        return
    if rows:
        print_timing_table(summary)
        click.echo(describe_speed(summary))
    if speakers:
        click.echo(_described(speakers))
    click.echo(_counts(outcomes))


def _described(speakers: Mapping[str, float]) -> str:
    """Who speaks in the library, in a line."""
    known = speakers["by_correction"] + speakers["by_profile"]
    return (
        f"Speakers in all videos: {speakers['speakers']:.0f}; {known:.0f} known by name, {speakers['voices']:.0f} voices that "
        f"nobody has named ({speakers['recurring_voices']:.0f} in several videos), {speakers['unknown']:.0f} unknown."
    )


def _counts(outcomes: Iterable["Outcome"]) -> str:
    results = [outcome.result for outcome in outcomes]
    words = {"done": "ingested", "current": "current", "planned": "to do", "left_out": "left out", "failed": "failed"}
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


def _timing_rows(database: Database, run_ids: list[str]) -> list[dict[str, Any]]:
    return database.query("SELECT * FROM asset_timings WHERE run_id = ANY(%s) ORDER BY timing_id", [run_ids])
