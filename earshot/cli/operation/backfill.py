"""`earshot backfill`: run again what is out of date, or what was named, watch it, stop it, and see what it changed."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from earshot.cli.arguments import filter_options
from earshot.cli.output import console, json_option, json_rows, print_json, print_stale, print_table
from earshot.common.errors import EarshotError
from earshot.common.text import left_out_undated, pluralize
from earshot.common.times import format_hms
from earshot.library.lookup import find_filter
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database, open_database

if TYPE_CHECKING:
    import pandas as pd
    from dagster import DagsterInstance

    from ingest_assets.operations import backfill
    from ingest_assets.operations.backfill_result import Example, StageChange

LOOK_S = 2.0
SILENCE_S = 90.0  # of Dagster's daemon, which tells every 30 s that it is there


@click.command("backfill")
@click.argument("stages", nargs=-1, type=click.Choice(STAGES), metavar="[STAGE]...")
@click.option("--stale", is_flag=True, help="Only what is out of date; without STAGEs of all of them.")
@filter_options
@click.option("--limit", type=click.IntRange(min=1), help="At most this many videos, the newest first.")
@click.option("--dry-run", is_flag=True, help="Say what would be run, and how long it takes; start nothing.")
@click.option("--keep-previous", is_flag=True, help="Keep what is replaced, in schema `previous` of the database.")
@click.option("--detach", is_flag=True, help="Start it and return; --watch shows it later.")
@click.option(
    "--watch",
    "watched",
    metavar="ID",
    help="Show a backfill that was started before, here or in the UI, and at its end what it changed, where that is known.",
)
@click.option("--cancel", "cancelled", metavar="ID", help="Stop a backfill; what was done stays.")
@json_option
def backfill_command(
    stages: tuple[str, ...],
    stale: bool,
    sources: tuple[str, ...],
    videos: tuple[str, ...],
    languages: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    dry_run: bool,
    keep_previous: bool,
    detach: bool,
    watched: str | None,
    cancelled: str | None,
    as_json: bool,
) -> None:
    """Run STAGEs again, and what is made from them: of all videos, or with --stale of what is out of date.

    Dagster does it, behind everything else, while `earshot up` runs; the UI shows each video under Runs, Backfills. A stage
    that would leave what is there is reused. Ctrl-C ends the watching, not the backfill.
    """
    if sum([bool(stages or stale), watched is not None, cancelled is not None]) != 1:
        raise click.UsageError("Name STAGEs, or --stale; or a backfill with --watch or --cancel.")
    from earshot.library.runs import backfill_title
    from ingest_assets.operations import backfill
    from resources.instance.home import open_instance

    instance, database = open_instance(), open_database()
    if cancelled is not None:
        backfill.cancel(instance, cancelled)
        click.echo(f"Asked Dagster to stop {cancelled}.")
        return
    backfill_id = watched
    if backfill_id is None:
        days = (day.date() if day else None for day in (since, until))
        which = find_filter(database, sources, videos, languages, *days)
        chosen = backfill.choose(database, stages or STAGES, stale, which, limit)
        if as_json and dry_run:
            print_json(json_rows(chosen))
        elif as_json and chosen.empty:
            print_json(_as_json(None, backfill.Progress("nothing to do", 0, 0, 0, 0, 0.0), [], []))
        elif not as_json:
            _tell_plan(chosen, database, instance)
        undated = left_out_undated(backfill.count_undated(database, which))
        if undated:
            click.echo(undated, err=as_json)
        if dry_run or chosen.empty:
            return
        title = backfill_title(stages, stale)
        backfill_id = backfill.launch(chosen, () if stale else stages, title, database, instance, keep_previous)
        click.echo(f"Backfill {backfill_id} is started. {_who_works_on_it(instance)}", err=True)
    if not detach:
        _watch(backfill_id, database, instance)
        _tell_result(backfill_id, database, instance, as_json)


def _tell_plan(chosen: "pd.DataFrame", database: Database, instance: "DagsterInstance") -> None:
    from ingest_assets.operations.forecast import forecast, stages_at_once

    if chosen.empty:
        click.echo("Nothing is to be done.")
        return
    print_stale(chosen)
    found = forecast(database, chosen, stages_at_once(instance))
    told = f"{pluralize(found.videos, 'video')}: {format_hms(found.work_s)} of work by their last timings"
    if found.spread_s < found.work_s:
        told += f", {format_hms(found.spread_s)} with {found.at_once} stages at once"
    if found.around_s is None:
        click.echo(f"{told}, starting the runs not counted.")
    else:
        click.echo(f"{told}, {format_hms(found.spread_s + found.around_s)} with what lately passed between two stages.")


def _who_works_on_it(instance: "DagsterInstance") -> str:
    """Whether Dagster's daemon is there to do it."""
    heard = instance.get_daemon_heartbeats().get("BACKFILL")
    if heard and time.time() - heard.timestamp < SILENCE_S:
        return "The UI shows it under Runs, Backfills; the first run starts within half a minute."
    return "It waits: nothing works on it until `earshot up` runs."


def _watch(backfill_id: str, database: Database, instance: "DagsterInstance") -> None:
    """A bar on stderr until the backfill has ended."""
    from ingest_assets.operations.backfill import read_progress

    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
    ]
    with Progress(*columns, console=console(stderr=True), transient=True) as bars:
        progress = read_progress(database, instance, backfill_id)
        task = bars.add_task(f"Backfill {backfill_id}", total=progress.videos, told="")
        while not progress.ended:
            bars.update(task, completed=progress.done + progress.failed, told=_told(progress))
            time.sleep(LOOK_S)
            progress = read_progress(database, instance, backfill_id)


def _told(progress: "backfill.Progress") -> str:
    """waits to be started; 2 at work or waiting, 1 failed, 0:12:30 to go"""
    failed = f", {progress.failed} failed" if progress.failed else ""
    if progress.remaining_s is None:
        return f"{progress.working} at work or waiting{failed}" if progress.working else "waits to be started"
    return f"{progress.working} at work or waiting{failed}, {format_hms(progress.remaining_s)} to go"


def _tell_result(backfill_id: str, database: Database, instance: "DagsterInstance", as_json: bool) -> None:
    """What it changed; raises where it was stopped or videos failed."""
    from ingest_assets.operations.backfill import read_progress
    from ingest_assets.operations.backfill_result import changed_passages, read_result, stage_changes

    progress, rows = read_progress(database, instance, backfill_id), read_result(database, backfill_id)
    changes, examples = stage_changes(rows), changed_passages(rows)
    if as_json:
        print_json(_as_json(backfill_id, progress, changes, examples))
    else:
        _print_changes(changes, examples)
        click.echo(f"{progress.done} done, {progress.failed} failed, in {format_hms(progress.since_s)}.")
    if progress.error:
        raise EarshotError(progress.error, "Once that is mended: earshot backfill --stale")
    if progress.failed or progress.done < progress.videos:
        raise EarshotError(*_not_done(progress))


def _print_changes(changes: "Sequence[StageChange]", examples: "Sequence[Example]") -> None:
    if not changes:
        click.echo("What it changed is not known: that is kept of backfills that `earshot backfill` starts.")
        return
    print_table(*_change_table(changes))
    for example in examples:
        click.echo(
            f"{example.title} [{format_hms(example.start_s)}]\n  was: {example.was}\n"
            f"  is:  {example.now or 'not there any more'}"
        )


def _not_done(progress: "backfill.Progress") -> tuple[str, str]:
    """How many videos are left and why, and what to do."""
    left = progress.videos - progress.done
    told = f"Not done: {pluralize(left, 'video')}"
    if progress.failed < left:
        how = "was cancelled" if progress.status.startswith("CANCEL") else "ended"
        rest = "the others" if progress.failed else "they were run"
        told += f"; {progress.failed or 'none'} of them failed, the backfill {how} before {rest}"
    why = "`earshot videos` says why one failed. " if progress.failed else ""
    return f"{told}.", f"{why}For what is still out of date: earshot backfill --stale"


def _as_json(
    backfill_id: str | None,
    progress: "backfill.Progress",
    changes: "Sequence[StageChange]",
    examples: "Sequence[Example]",
) -> dict[str, Any]:
    return {
        "backfill_id": backfill_id,
        "status": progress.status.lower(),
        "error": progress.error or None,
        "videos": progress.videos,
        "done": progress.done,
        "failed": progress.failed,
        "stages": [asdict(change) for change in changes],
        "examples": [asdict(example) for example in examples],
    }


def _change_table(changes: "Sequence[StageChange]") -> tuple[list[tuple[str, str]], list[list[str]]]:
    headings = [
        ("stage", "left"), ("videos", "right"), ("redone", "right"), ("reused", "right"), ("speed before", "right"),
        ("after", "right"), ("content changed", "right"), ("", "left"),
    ]  # fmt: skip
    rows = [
        [
            change.stage, f"{change.videos:,}", f"{change.redone:,}", f"{change.reused:,}",
            _speed(change.x_realtime_before), _speed(change.x_realtime_after),
            "" if change.changed is None else f"{change.changed:,}",
            "" if change.count_before is None else f"{change.noun} {change.count_before:,} -> {change.count_after:,}",
        ]
        for change in changes
    ]  # fmt: skip
    return headings, rows


def _speed(x_realtime: float | None) -> str:
    return "" if x_realtime is None else f"{x_realtime:.1f}x"
