"""`earshot search`: what was said about something, by whom, when, and the link that opens it there."""

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
from earshot.transcripts.search.last_search import keep_results

if TYPE_CHECKING:
    from earshot.transcripts.search.query import Hit


class _TextCommand(click.Command):
    """A command whose text may have words with a dash before them, `-word`, anywhere; two dashes begin an option.

    Text that begins with two dashes stands after `--`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name: each for each in self.get_params(ctx) if isinstance(each, click.Option) for name in each.opts}
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
    told = f"No such option {name[:80]!r} (text that begins with two dashes goes after --)."
    raise click.NoSuchOption(name, told, known, ctx)


@click.command("search", cls=_TextCommand)
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=5, show_default=True, help="Passages on a page.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Which page of them.")
@click.option("--speaker", metavar="NAME", help="Only what this person says, or an anonymous voice: 'voice 7'.")
@filter_options
@click.option("--words", is_flag=True, help="By words alone, not by meaning; needs no model.")
@click.option("--context", is_flag=True, help="Show the passages before and after, too.")
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
    """Find the passages that answer TEXT, by meaning and by words: who said it, when, and where.

    "Several words" in quotation marks must be said in this order; -word must not be said.
    """
    found = Library().search(
        " ".join(text),
        limit=limit,
        page=page,
        speaker=speaker,
        sources=sources,
        videos=videos,
        languages=languages,
        since=since.date() if since else None,
        until=until.date() if until else None,
        words_only=words,
    )
    _keep(found.hits)
    if as_json:
        undated = found.undated_videos_left_out
        hits = [asdict(hit) for hit in found.hits]
        print_json({"hits": hits, "absent_words": found.absent_words, "undated_videos_left_out": undated})
    else:
        _print_hits(found.hits, context)
        _print_absent(found.notable_absences)
    if found.note:
        click.echo(found.note, err=bool(found.hits) or as_json)


def _keep(hits: "Sequence[Hit]") -> None:
    """For `earshot play`; a search goes on without, where EARSHOT_HOME cannot be written to."""
    try:
        keep_results(hits)
    except EarshotError as error:
        click.echo(f"`earshot play` does not know these results by their numbers: {error.message}", err=True)


def _print_absent(words: Sequence[str]) -> None:
    if words:
        click.echo(f"No transcript has the word{'' if len(words) == 1 else 's'} {', '.join(map(repr, words))}.")


def _print_hits(hits: "Sequence[Hit]", context: bool) -> None:
    out = console()
    for hit in hits:
        head = f"{hit.place}. {hit.title}  [{format_hms(hit.start_s)}] {', '.join(hit.speakers)}"
        out.print(head, style="bold", markup=False, highlight=False)
        for text, style in ((hit.before, "dim"), (hit.text, ""), (hit.after, "dim")):
            if text and (context or text is hit.text):
                out.print(Padding(Text(text, style), (0, 0, 0, 3), expand=False))
        for line in (f"{hit.video_id}@{format_hms(hit.start_s)}{_day(hit)}", f"{hit.link}  {_scores(hit)}"):
            out.print(f"   {line}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _day(hit: "Hit") -> str:
    return f"  {hit.published_at.astimezone(UTC):%Y-%m-%d}" if hit.published_at else ""


def _scores(hit: "Hit") -> str:
    """meaning 0.29, words 0.40, and in how many other videos it is, too."""
    meaning = "" if hit.meaning is None else f"meaning {hit.meaning:.2f}, "
    copies = f"; also in {pluralize(len(hit.copies), 'other video')}" if hit.copies else ""
    return f"({meaning}words {hit.words:.2f}{copies})"
