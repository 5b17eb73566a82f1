"""`earshot backfill`: start, watch or cancel a backfill of stages, and print what it changed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from earshot import Library, open_library
from earshot.cli.arguments import filter_options
from earshot.cli.output import console, json_option, print_json, print_stale, print_table
from earshot.common.errors import EarshotError
from earshot.common.text import left_out_undated, pluralize
from earshot.common.times import format_hms
from earshot.library.work.stages import STAGES

if TYPE_CHECKING:
    from earshot.library.work import backfill
    from earshot.library.work.backfill import BackfillPlan, BackfillResult, Example, StageChange


@click.command("backfill")
@click.argument("stages", nargs=-1, type=click.Choice(STAGES), metavar="[STAGE]...")
@click.option("--stale", is_flag=True, help="Only stages that are out of date; without STAGEs, any of them.")
@filter_options
@click.option("--limit", type=click.IntRange(min=1), help="At most this many videos, newest first.")
@click.option("--dry-run", is_flag=True, help="Show what would run and how long it would take.")
@click.option("--keep-previous", is_flag=True, help="Keep the replaced rows, in schema `previous` of the database.")
@click.option("--detach", is_flag=True, help="Return once the backfill is started; --watch shows it later.")
@click.option("--watch", "watched", metavar="ID", help="Show the progress and result of a running or finished backfill.")
@click.option("--cancel", "cancelled", metavar="ID", help="Cancel a backfill; finished videos stay as they are.")
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
    """Run stages again for many videos.

    Runs each STAGE, and the stages made from it, for all videos or for those that the options select. Dagster does the work
    while `earshot up` runs, after new uploads; the UI shows it under Runs > Backfills. A stage made from them is reused
    if its input did not change. Ctrl-C stops watching, not the backfill.
    """
    if sum([bool(stages or stale), watched is not None, cancelled is not None]) != 1:
        raise click.UsageError("Name STAGEs or --stale to start a backfill, or an existing one with --watch or --cancel.")
    library = open_library()
    if cancelled is not None:
        library.cancel_backfill(cancelled)
        click.echo(f"Asked Dagster to stop {cancelled}.")
        return
    backfill_id = watched
    if backfill_id is None:
        from earshot.library.work.backfill import BackfillRequest, is_daemon_running, plan_backfill

        first, last = (day.date() if day else None for day in (since, until))
        request = BackfillRequest(stages, stale, sources, videos, languages, first, last, limit)
        plan = plan_backfill(library.database, request)
        _print_plan(plan, as_json, dry_run)
        if dry_run or not plan.stages:
            return
        backfill_id = plan.start(keep_previous)
        click.echo(f"Started backfill {backfill_id}. {_when_it_runs(is_daemon_running())}", err=True)
    if not detach:
        _watch(library, backfill_id)
        _print_result(library.backfill_result(backfill_id), backfill_id, as_json)


def _print_plan(plan: "BackfillPlan", as_json: bool, dry_run: bool) -> None:
    if as_json and dry_run:
        print_json([asdict(stage) for stage in plan.stages])
    elif as_json and not plan.stages:
        print_json(_NOTHING_TO_DO)
    elif not as_json:
        _print_forecast(plan)
    undated = left_out_undated(plan.undated_videos_left_out)
    if undated:
        click.echo(undated, err=as_json)


def _print_forecast(plan: "BackfillPlan") -> None:
    if not plan.stages:
        click.echo("Nothing to do.")
        return
    print_stale(plan.stages)
    expected = plan.forecast()
    sentence = f"{pluralize(expected.videos, 'video')}: {format_hms(expected.work_s)} of work by their last timings"
    if expected.spread_s < expected.work_s:
        sentence += f", {format_hms(expected.spread_s)} with {expected.at_once} stages at once"
    if expected.around_s is None:
        click.echo(f"{sentence}, without the time to start the runs.")
    else:
        click.echo(f"{sentence}, {format_hms(expected.spread_s + expected.around_s)} with the usual time between stages.")


def _when_it_runs(daemon_runs: bool) -> str:
    if daemon_runs:
        return "The UI shows it under Runs > Backfills; the first run starts within half a minute."
    return "It will run once `earshot up` is running."


def _watch(library: Library, backfill_id: str) -> None:
    """Show a progress bar on stderr until the backfill ends."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
    ]
    with Progress(*columns, console=console(stderr=True), transient=True) as bars:
        task = bars.add_task(f"Backfill {backfill_id}", status="")
        for progress in library.follow_backfill(backfill_id):
            finished = progress.done + progress.failed
            bars.update(task, total=progress.videos, completed=finished, status=_status(progress))


def _status(progress: "backfill.Progress") -> str:
    """waiting to start; 2 queued or running, 1 failed, 0:12:30 to go"""
    failed = f", {progress.failed} failed" if progress.failed else ""
    if progress.remaining_s is None:
        return f"{progress.working} queued or running{failed}" if progress.working else "waiting to start"
    return f"{progress.working} queued or running{failed}, {format_hms(progress.remaining_s)} to go"


def _print_result(result: "BackfillResult", backfill_id: str, as_json: bool) -> None:
    """Print what the backfill changed. Raises EarshotError if it was stopped or if videos failed."""
    progress = result.progress
    if as_json:
        print_json(_as_json(result, backfill_id))
    else:
        _print_changes(result.stages, result.examples)
        click.echo(f"{progress.done} done, {progress.failed} failed, in {format_hms(progress.since_s)}.")
    if progress.error:
        raise EarshotError(progress.error, "When that is fixed, run: earshot backfill --stale")
    if progress.failed or progress.done < progress.videos:
        raise EarshotError(*_not_done(progress))


def _print_changes(changes: "Sequence[StageChange]", examples: "Sequence[Example]") -> None:
    if not changes:
        click.echo("What it changed is unknown: only backfills that `earshot backfill` started record that.")
        return
    print_table(*_change_table(changes))
    for example in examples:
        click.echo(f"{example.title} [{format_hms(example.start_s)}]\n  was: {example.was}\n  now: {example.now or 'gone'}")


def _not_done(progress: "backfill.Progress") -> tuple[str, str]:
    """The message about unfinished videos, and its remedy."""
    unfinished = progress.videos - progress.done
    message = f"{pluralize(unfinished, 'video')} not done"
    if progress.failed < unfinished:
        how = "was cancelled" if progress.status.startswith("CANCEL") else "ended"
        message += f": {progress.failed} failed, and the backfill {how} before it reached the rest"
    why = "`earshot videos` shows why videos failed. " if progress.failed else ""
    return f"{message}.", f"{why}To run what is still out of date: earshot backfill --stale"


_NOTHING_TO_DO = {
    "backfill_id": None,
    "status": "nothing to do",
    "error": None,
    "videos": 0,
    "done": 0,
    "failed": 0,
    "stages": [],
    "examples": [],
}


def _as_json(result: "BackfillResult", backfill_id: str) -> dict[str, Any]:
    return {
        "backfill_id": backfill_id,
        "status": result.progress.status.lower(),
        "error": result.progress.error or None,
        "videos": result.progress.videos,
        "done": result.progress.done,
        "failed": result.progress.failed,
        "stages": [asdict(change) for change in result.stages],
        "examples": [asdict(example) for example in result.examples],
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
