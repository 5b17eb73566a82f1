"""`earshot timings`: a report on table `asset_timings`, a comparison of two versions, a plot, and `--accept`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from earshot import Library, open_library
from earshot.cli.output import describe_speed, json_option, print_json, print_json_rows, print_table
from earshot.common.text import pluralize
from earshot.common.times import format_hms
from earshot.library.work.timings import (
    MAX_TIMINGS,
    MINIMUM_VIDEOS,
    Comparison,
    OpenFailure,
    TimingsReport,
    check_plot,
    hours_by_the_clock,
    read_report,
)

DAY_S = 86400.0
MAX_DAYS = 36500.0


def _days(_context: click.Context, _option: click.Parameter, days: float | None) -> float | None:
    if days is not None and not 0 < days <= MAX_DAYS:  # also refuses NaN
        raise click.BadParameter(f"{days:g} is not a number of days above 0, up to {MAX_DAYS:.0f}.")
    return days


@click.command("timings")
@click.option("--video", "video_id", metavar="VIDEO", help="Only this video (key).")
@click.option("--since", "days", type=float, callback=_days, metavar="DAYS", help="Only timings of the last DAYS days.")
@click.option(
    "--compare", "versions", nargs=2, metavar="A B", help="Compare two commits (also HEAD~1) or code versions: B relative to A."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a plot to this .png, .svg or .pdf file.")
@click.option("--accept", "accepted", metavar="STAGE", help="Accept the present speed of STAGE as its new baseline.")
@json_option
def timings_command(
    video_id: str | None,
    days: float | None,
    versions: tuple[str, str] | None,
    plot: Path | None,
    accepted: str | None,
    as_json: bool,
) -> None:
    """Show how long each stage took.

    Sums up the last run of each stage of each video; with --json, prints every recorded run instead. In the table, `speed` is
    times real time, `share` the part of the total time, and `trend` compares the last 20 runs with the 20 before: 1.10 is a
    tenth slower.
    """
    if accepted is not None:
        if video_id or days or versions or plot:
            raise click.UsageError("--accept takes a whole stage: combine it with --json only.")
        _accept(open_library(), accepted, as_json)
        return
    if plot is not None:
        check_plot(plot)
    library, streamed = open_library(), as_json and plot is None and versions is None
    report = TimingsReport(()) if streamed else read_report(library.database, video_id, days)
    if plot is not None and report.rows:
        report.plot(plot)
        click.echo(f"Plotted to {plot}.", err=as_json)
    if versions is not None:
        _print_comparison(report.compare(*versions), versions, as_json)
    elif as_json:
        print_json_rows(library.stream_timings(video_id, days))
    elif report.rows:
        _print_report(report, days, library.failing_checks(video_id))
    else:
        click.echo(_nothing(video_id, days))


def _nothing(video_id: str | None, days: float | None) -> str:
    if not video_id and not days:
        return "No timings yet. Start with: earshot ingest SOURCE"
    return f"No timings{f' of {video_id}' if video_id else ''}{f' {_in_last(days)}' if days else ''}."


def _in_last(days: float) -> str:
    return f"in the last {days:g} days" if days != 1 else "in the last day"


def _print_report(report: TimingsReport, days: float | None, failing: Sequence[OpenFailure]) -> None:
    print_table(report.table.headings, report.table.rows, last_apart=True)
    if len(report.rows) == MAX_TIMINGS:
        click.echo(f"Counts only the newest {MAX_TIMINGS:,} timings; --json prints them all.")
    click.echo(describe_speed(report.stages))
    click.echo(_by_the_clock(report.stages.iloc[-1].audio_s, days * DAY_S if days else report.elapsed_s, days))
    for failure in failing:
        click.echo(str(failure))


def _by_the_clock(audio_s: float, elapsed_s: float, days: float | None) -> str:
    period = _in_last(days) if days else f"in the {format_hms(elapsed_s)} from the first timing to the last"
    hours = hours_by_the_clock(audio_s, elapsed_s)
    rate = f"{hours:.1f}" if hours >= 0.1 else f"{hours:.3f}"
    return f"By the clock: {format_hms(audio_s)} of audio {period}: {rate} hours per hour, with idle time and loading."


def _print_comparison(comparisons: Sequence[Comparison], versions: tuple[str, str], as_json: bool) -> None:
    if as_json:
        print_json([asdict(comparison) for comparison in comparisons])
        return
    headings = [
        ("stage", "left"), ("A s/input", "right"), ("B s/input", "right"), ("B / A", "right"), ("95 % interval", "left"),
        ("n", "left"), ("B is", "left"), ("note", "left"),
    ]  # fmt: skip
    click.echo("A is {}, B is {}. Medians; n counts videos that ran with both, or else runs.".format(*versions))
    print_table(headings, [_cells(comparison) for comparison in comparisons])


def _cells(compared: Comparison) -> list[str]:
    seconds = ["" if value is None else f"{value:.3g}" for value in (compared.a_s, compared.b_s)]
    interval = "" if compared.low is None else f"{compared.low:.2f} to {compared.high:.2f}"
    count = f"{compared.a_n} videos" if compared.paired else f"{compared.a_n} and {compared.b_n} runs"
    ratio = "" if compared.ratio is None else f"{compared.ratio:.2f}"
    return [compared.asset, *seconds, ratio, interval, count, compared.verdict, compared.note]


def _accept(library: Library, stage: str, as_json: bool) -> None:
    left_out = library.accept_speed(stage)
    if as_json:
        print_json({"stage": stage, "timings_left_out": left_out})
        return
    click.echo(
        f"Accepted the present speed of {stage}. Checks ignore {pluralize(left_out, 'earlier timing')} and start again after "
        f"{MINIMUM_VIDEOS} new ones."
    )
