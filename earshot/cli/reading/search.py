"""`earshot search`: find passages, and print who says them, when, and a link to that time."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Never

import click
from rich.padding import Padding
from rich.text import Text

from earshot.cli.arguments import filter_options
from earshot.cli.output import console, json_option, print_json
from earshot.common.errors import EarshotError
from earshot.common.text import pluralize
from earshot.common.times import format_hms
from earshot.library.library import Library
from earshot.library.reading.last_search import keep_results
from earshot.library.reading.page_client import search_by_page
from earshot.library.reading.question import Question

if TYPE_CHECKING:
    from earshot import Hit


class _TextCommand(click.Command):
    """A command that accepts `-word` anywhere in its text; only two dashes begin an option. After `--`, all is text."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name: param for param in self.get_params(ctx) if isinstance(param, click.Option) for name in param.opts}
        chosen: list[str] = []
        text: list[str] = []
        rest = iter(args)
        for arg in rest:
            name = arg.partition("=")[0] if arg.startswith("--") else arg
            if arg == "--":
                text += rest
            elif name in options:
                chosen += [arg, *([] if options[name].is_flag or arg != name else [_value(name, next(rest, None), ctx)])]
            elif arg.startswith("--"):
                _refuse(name, list(options), ctx)
            else:
                text.append(arg)
        return super().parse_args(ctx, [*chosen, "--", *text])


def _value(name: str, value: str | None, ctx: click.Context) -> str:
    if value is None:
        raise click.BadOptionUsage(name, f"Option {name!r} requires an argument.", ctx)
    return value


def _refuse(name: str, known: Sequence[str], ctx: click.Context) -> Never:
    message = f"No such option {name[:80]!r} (text that begins with two dashes goes after --)."
    raise click.NoSuchOption(name, message, known, ctx)


@click.command("search", cls=_TextCommand)
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=5, show_default=True, help="Passages per page.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Page of the results.")
@click.option("--speaker", metavar="NAME", help='Only what this person or voice ("voice 7") says.')
@filter_options
@click.option("--words", is_flag=True, help="Search by words only, which needs no model.")
@click.option("--context", is_flag=True, help="Also show the passages before and after.")
@json_option
def search_command(
    text: tuple[str, ...],
    limit: int,
    page: int,
    speaker: str | None,
    sources: tuple[str, ...],
    videos: tuple[str, ...],
    languages: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    words: bool,
    context: bool,
    as_json: bool,
) -> None:
    """Search what was said, by meaning and by words.

    Prints the passages that match TEXT best, with speaker, time and link. "Words in quotation marks" must occur in this order;
    -word must not occur. `earshot play` plays a result by its number.
    """
    days = (since.date() if since else None, until.date() if until else None)
    question = Question(" ".join(text), limit, page, speaker, sources, videos, languages, *days)
    result = search_by_page(question, words) or Library().answer(question, words)
    _save(result.hits)
    if as_json:
        undated = result.undated_videos_left_out
        hits = [asdict(hit) for hit in result.hits]
        print_json({"hits": hits, "absent_words": result.absent_words, "undated_videos_left_out": undated})
    else:
        _print_hits(result.hits, context)
        _print_absent(result.notable_absences)
    if result.note:
        click.echo(result.note, err=bool(result.hits) or as_json)


def _save(hits: "Sequence[Hit]") -> None:
    """Save the results for `earshot play`; only warns if EARSHOT_HOME cannot be written to."""
    try:
        keep_results(hits)
    except EarshotError as error:
        click.echo(f"`earshot play` cannot use the numbers of these results: {error.message}", err=True)


def _print_absent(words: Sequence[str]) -> None:
    if words:
        click.echo(f"No transcript has the word{'' if len(words) == 1 else 's'} {', '.join(map(repr, words))}.")


def _print_hits(hits: "Sequence[Hit]", context: bool) -> None:
    out = console()
    for hit in hits:
        who = hit.captions.label if hit.captions else ", ".join(hit.speakers)
        head = f"{hit.place}. {hit.title}  [{format_hms(hit.start_s)}] {who}"
        out.print(head, style="bold", markup=False, highlight=False)
        for text, style in ((hit.before, "dim"), (hit.text, ""), (hit.after, "dim")):
            if text and (context or text is hit.text):
                out.print(Padding(Text(text, style), (0, 0, 0, 3), expand=False))
        for line in (f"{hit.video_id}@{format_hms(hit.start_s)}{_day(hit)}", f"{hit.link}  {_scores(hit)}"):
            out.print(f"   {line}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _day(hit: "Hit") -> str:
    return f"  {hit.published_at.astimezone(UTC):%Y-%m-%d}" if hit.published_at else ""


def _scores(hit: "Hit") -> str:
    """meaning 0.29, words 0.40, and the number of other videos with the same passage."""
    meaning = "" if hit.meaning is None else f"meaning {hit.meaning:.2f}, "
    copies = f"; also in {pluralize(len(hit.copies), 'other video')}" if hit.copies else ""
    return f"({meaning}words {hit.words:.2f}{copies})"
