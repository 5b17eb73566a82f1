"""`earshot ingest`: sources in, searchable videos out, with a bar per video and the table of what it cost."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ingest_assets.cli.output import describe_speed, json_option, print_json, print_timing_table
from ingest_assets.progress import watching
from ingest_assets.timings import summarize
from resources.catalogue import STAGES, Video
from resources.database import Database

if TYPE_CHECKING:
    from ingest_assets.ingest import Outcome


@click.command("ingest")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many videos of each source.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest upload instead of the source's order.")
@click.option("--dry-run", is_flag=True, help="List what would be done, and do nothing.")
@click.option("--force", is_flag=True, help="Run every stage again, also where it is current.")
@json_option
def ingest_command(
    sources: tuple[str, ...], limit: int | None, newest_first: bool, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Ingest SOURCEs: URLs of channels, playlists, feeds or videos; files; folders.

    Videos that are current are skipped; one that fails is told, and the others go on.
    """
    # Imported here: the asset graph and yt-dlp take seconds, and `earshot --help` should not.
    from ingest_assets.ingest import Choice, ingest
    from ingest_assets.instance import open_instance
    from resources.database import open_database

    # Dagster's instance first: it starts the server and tells where Dagster's files are.
    instance, database = open_instance(), open_database()
    watch = _Watch()
    choice = Choice(limit=limit, newest_first=newest_first, dry_run=dry_run, force=force)
    outcomes: list[Outcome] = []
    with watch.bars, watching(watch.advance):
        for step in ingest(sources, choice, database, instance):
            if isinstance(step, Video):
                watch.begin(step)
            else:
                outcomes.append(step)
                watch.end(step)
    _report(outcomes, database, as_json)
    if any(outcome.result == "failed" for outcome in outcomes):
        sys.exit(1)


class _Watch:
    """Draws the bar of the video at work, and a line for each that ended, on stderr."""

    def __init__(self) -> None:
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

    def begin(self, video: Video) -> None:
        self._finished.clear()
        self._task = self.bars.add_task(_plain(video.title), total=len(STAGES), stage="")

    def advance(self, stage: str, share: float) -> None:
        if self._task is None:
            return
        if share >= 1.0:
            self._finished.add(stage)
        text = f"{stage} {share:.0%}"
        self.bars.update(self._task, completed=len(self._finished), stage=text)

    def end(self, outcome: "Outcome") -> None:
        if self._task is not None:
            self.bars.remove_task(self._task)
            self._task = None
        self.console.print(_line(outcome), markup=False)
        for failed in outcome.failed_checks:
            self.console.print(f"  ! {failed}", markup=False)


def _line(outcome: "Outcome") -> str:
    name = f"{_plain(outcome.video.title)} ({outcome.video.video_id})" if outcome.video else outcome.source
    stages = "all stages" if len(outcome.stages) == len(STAGES) else ", ".join(outcome.stages)
    if outcome.result == "failed":
        return f"✗ {name}: {outcome.error}" if outcome.video else f"✗ {outcome.error}"
    if outcome.result == "done":
        return f"✓ {name}: {stages}"
    if outcome.result == "planned":
        return f"· {name}: would run {stages}"
    return f"= {name}: current, nothing to do"


def _plain(title: str) -> str:
    """A title on one line."""
    return " ".join(title.split())


def _report(outcomes: Sequence["Outcome"], database: Database, as_json: bool) -> None:
    rows = _timing_rows(database, [outcome.run_id for outcome in outcomes if outcome.run_id])
    summary = summarize(rows, STAGES)
    if as_json:
        print_json(
            {
                "outcomes": [_outcome_json(outcome) for outcome in outcomes],
                "timings": summary.astype(object).where(summary.notna(), None).to_dict("records"),
            }
        )
        return
    if rows:
        print_timing_table(summary)
        click.echo(describe_speed(summary))
    click.echo(_counts(outcomes))


def _counts(outcomes: Iterable["Outcome"]) -> str:
    results = [outcome.result for outcome in outcomes]
    words = {"done": "ingested", "current": "current", "planned": "to do", "failed": "failed"}
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
        "error": outcome.error or None,
        "run_id": outcome.run_id or None,
        "failed_checks": list(outcome.failed_checks),
    }


def _timing_rows(database: Database, run_ids: list[str]) -> list[dict[str, Any]]:
    return database.query("SELECT * FROM asset_timings WHERE run_id = ANY(%s) ORDER BY timing_id", [run_ids])
