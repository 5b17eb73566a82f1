"""`earshot search`: what was said about something, by whom, when, and the link that opens it there."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.padding import Padding
from rich.text import Text

from ingest_assets.cli.arguments import Day, known_language, known_video
from ingest_assets.cli.output import console, json_option, print_json
from ingest_assets.moments import hms
from ingest_assets.wording import counted
from resources.database import open_database
from resources.gpu import require_device
from resources.settings import read_settings
from resources.watched import address_of

if TYPE_CHECKING:
    from ingest_assets.search import Hit


@click.command("search", context_settings={"ignore_unknown_options": True})
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=5, show_default=True, help="Passages on a page.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True, help="Which page of them.")
@click.option("--speaker", metavar="NAME", help="Only what this person says, or an anonymous voice: 'voice 7'.")
@click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Only videos of this source, by name or address.")
@click.option("--video", "videos", multiple=True, metavar="VIDEO", help="Only this video.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Only videos in this language: en, de, ...")
@click.option("--since", type=Day, metavar="DATE", help="Only uploads of this day (UTC) and later.")
@click.option("--until", type=Day, metavar="DATE", help="Only uploads of this day and before.")
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
    from ingest_assets.known_voices import find_known
    from ingest_assets.search import Filters, check_question, explain, search, searching_encoder
    from resources.loaded_models import ModelsResource

    device = None if words else require_device(read_settings().device)
    database, question = open_database(), " ".join(text)
    check_question(database, question)
    filters = Filters(
        speaker=None if speaker is None else find_known(database, speaker),
        sources=tuple(address_of(database, source) for source in sources),
        videos=tuple(known_video(database, video).video_id for video in videos),
        languages=tuple(known_language(database, language) for language in languages),
        since=since.date() if since else None,
        until=until.date() if until else None,
    )
    encoder = searching_encoder(database, ModelsResource(), device) if device else None
    hits = search(database, encoder, question, limit, page, filters)
    if as_json:
        print_json([asdict(hit) for hit in hits])
    else:
        _print_hits(hits, context)
    told = explain(database, hits, filters, page)
    if told:
        click.echo(told, err=bool(hits) or as_json)


def _print_hits(hits: "Sequence[Hit]", context: bool) -> None:
    out = console()
    for hit in hits:
        head = f"{hit.place}. {hit.title}  [{hms(hit.start_s)}] {', '.join(hit.speakers)}"
        out.print(head, style="bold", markup=False, highlight=False)
        for text, style in ((hit.before, "dim"), (hit.text, ""), (hit.after, "dim")):
            if text and (context or text is hit.text):
                out.print(Padding(Text(text, style), (0, 0, 0, 3), expand=False))
        out.print(f"   {hit.link}  {_scores(hit)}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _scores(hit: "Hit") -> str:
    """meaning 0.29, words 0.40, and in how many other videos it is, too."""
    meaning = "" if hit.meaning is None else f"meaning {hit.meaning:.2f}, "
    copies = f"; also in {counted(len(hit.copies), 'other video')}" if hit.copies else ""
    return f"({meaning}words {hit.words:.2f}{copies})"
