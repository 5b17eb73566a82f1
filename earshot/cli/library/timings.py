"""`earshot timings`: the report of table `asset_timings`, a comparison of two versions, a picture; and `--accept`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from earshot.cli.output import describe_speed, json_option, print_json, print_json_rows, print_table
from earshot.common.times import format_hms
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database, open_database
from earshot.timings.baseline import MINIMUM_VIDEOS
from earshot.timings.comparison import Comparison, compare
from earshot.timings.history import accept_speed
from earshot.timings.queries import MAX_TIMINGS, ROW_KEYS, OpenFailure, read_open_failures, read_timings, stream_timings
from earshot.timings.report import Row, clock_s, report, report_table
from earshot.timings.timing import commit_named, hours_by_the_clock

DAY_S = 86400.0
MOST_DAYS = 36500.0


def _days(_context: click.Context, _option: click.Parameter, days: float | None) -> float | None:
    if days is not None and not 0 < days <= MOST_DAYS:  # which NaN is not either
        raise click.BadParameter(f"{days:g} is not a number of days above 0, up to {MOST_DAYS:.0f}.")
    return days


@click.command("timings")
@click.option("--video", "video_id", help="Only this video.")
@click.option("--since", "days", type=float, callback=_days, metavar="DAYS", help="Only timings of the last so many days.")
@click.option("--compare", "versions", nargs=2, metavar="A B", help="Hold B against A: commits (HEAD~1 too) or code versions.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture: .png, .svg or .pdf.")
@click.option("--accept", "accepted", metavar="STAGE", help="Declare the speed of STAGE the new normal.")
@json_option
def timings_command(
    video_id: str | None,
    days: float | None,
    versions: tuple[str, str] | None,
    plot: Path | None,
    accepted: str | None,
    as_json: bool,
) -> None:
    """Show what each stage cost: per stage in sum, or with --json every row that was recorded.

    The table counts the last run of each stage of each video. `speed` is times real time, `share` of the time all stages took,
    `trend` the seconds per unit of work of the last 20 runs to those of the 20 before: 1.10 is a tenth slower.
    """
    if accepted is not None:
        if video_id or days or versions or plot:
            raise click.UsageError("--accept is for a whole stage: it goes with --json only.")
        _accept(open_database(), accepted, as_json)
        return
    if plot is not None:
        _check_plot(plot)
    database = open_database()
    told_whole = as_json and plot is None and versions is None
    rows = [] if told_whole else read_timings(database, video_id, days)
    if plot is not None and rows:
        _plot(rows, plot, as_json)
    if versions is not None:
        _print_comparison(compare(rows, *versions, commit_named), versions, as_json)
    elif as_json:
        print_json_rows(stream_timings(database, ROW_KEYS, video_id, days))
    elif rows:
        _print_report(rows, days, read_open_failures(database, video_id))
    else:
        click.echo(_nothing(video_id, days))


def _nothing(video_id: str | None, days: float | None) -> str:
    if not video_id and not days:
        return "No timings yet. Start with: earshot ingest SOURCE"
    return f"No timings{f' of {video_id}' if video_id else ''}{f' {_lately(days)}' if days else ''}."


def _lately(days: float) -> str:
    return f"in the last {days:g} days" if days != 1 else "in the last day"


def _print_report(rows: Sequence[Row], days: float | None, failing: Sequence[OpenFailure]) -> None:
    reported = report(rows, STAGES)
    written = report_table(reported)
    print_table(written.headings, written.rows, last_apart=True)
    if len(rows) == MAX_TIMINGS:
        click.echo(f"Only the newest {MAX_TIMINGS} timings are counted; --json has them all.")
    click.echo(describe_speed(reported))
    click.echo(_by_the_clock(reported.iloc[-1].audio_s, days * DAY_S if days else clock_s(rows), days))
    for failure in failing:
        click.echo(str(failure))


def _by_the_clock(audio_s: float, passed_s: float, days: float | None) -> str:
    stretch = _lately(days) if days else f"in the {format_hms(passed_s)} from the first timing to the last"
    hours = hours_by_the_clock(audio_s, passed_s)
    told = f"{hours:.1f}" if hours >= 0.1 else f"{hours:.3f}"
    audio = format_hms(audio_s)
    return f"By the clock: {audio} of audio {stretch}: {told} hours per hour of the clock, with idle time and loading."


def _check_plot(path: Path) -> None:
    from earshot.timings.plots import check_suffix  # matplotlib: a second

    check_suffix(path)


def _plot(rows: Sequence[Row], path: Path, as_json: bool) -> None:
    from earshot.timings.plots import pictures, save

    save(pictures(rows), path)
    click.echo(f"Plotted to {path}.", err=as_json)


def _print_comparison(comparisons: Sequence[Comparison], versions: tuple[str, str], as_json: bool) -> None:
    if as_json:
        print_json([asdict(comparison) for comparison in comparisons])
        return
    headings = [
        ("stage", "left"), ("A s/input", "right"), ("B s/input", "right"), ("B to A", "right"), ("95 % of it", "left"),
        ("n", "left"), ("B is", "left"), ("note", "left"),
    ]  # fmt: skip
    click.echo("A is {}, B is {}. Medians. n: videos where the same ones ran with both, otherwise runs.".format(*versions))
    print_table(headings, [_cells(comparison) for comparison in comparisons])


def _cells(compared: Comparison) -> list[str]:
    seconds = ["" if value is None else f"{value:.3g}" for value in (compared.a_s, compared.b_s)]
    interval = "" if compared.low is None else f"{compared.low:.2f} to {compared.high:.2f}"
    count = f"{compared.a_n} videos" if compared.paired else f"{compared.a_n} and {compared.b_n} runs"
    ratio = "" if compared.ratio is None else f"{compared.ratio:.2f}"
    return [compared.asset, *seconds, ratio, interval, count, compared.verdict, compared.note]


def _accept(database: Database, stage: str, as_json: bool) -> None:
    left_out = accept_speed(database, stage)
    if as_json:
        print_json({"stage": stage, "timings_left_out": left_out})
        return
    click.echo(
        f"The speed of {stage} is the new normal: its {left_out} timings so far are not compared with any more, "
        f"and it is judged again once {MINIMUM_VIDEOS} new ones are there."
    )
