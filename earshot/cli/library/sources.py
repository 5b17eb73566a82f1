"""`earshot sources`: the watched sources, the number of their videos, and their errors; and changes of sources.yaml."""

from pathlib import Path
from typing import Any

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json, print_table
from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind
from earshot.library.library import Library
from earshot.library.sources.sources import COUNTS, WatchedSource


@click.group("sources", invoke_without_command=True)
@json_option
@click.pass_context
def sources_command(context: click.Context, as_json: bool) -> None:
    """List the watched sources and their states, or change them.

    Without a command, shows when each source was last polled, how many videos it lists, how many of them sources.yaml wants,
    and what is wrong with it, if anything.
    """
    if context.invoked_subcommand is not None:
        return
    watched = Library().sources()
    if not watched and not as_json:
        click.echo(f"No sources are watched. To add one to {read_settings().sources}: earshot sources add ADDRESS")
        return
    rows = [_row(source) for source in watched]
    if as_json:
        print_json([{**row, "keeps": source.keeps} for row, source in zip(rows, watched, strict=True)])
        return
    headings = [(heading, "left") for heading in ("source", "kind", "last polled")]
    headings += [(heading, "right") for heading in COUNTS] + [("state", "left")]
    print_table(headings, [tuple("" if cell is None else str(cell) for cell in row.values()) for row in rows])


@sources_command.command("add")
@click.argument("address")
@click.option("--name", help="What to call it; by default, its address.")
@click.option("--kind", type=click.Choice(list(Kind)), help="By default, as the address looks.")
@click.option("--since", metavar="DATE", help="Only uploads since this day.")
@click.option("--limit", type=int, help="At most so many of those that exist.")
@click.option("--every", metavar="INTERVAL", help="How often to poll it, such as 15m.")
def add_command(address: str, kind: str | None, **options: Any) -> None:
    """Watch a source: write it into sources.yaml.

    ADDRESS is the URL of a channel, playlist, feed or video, or a folder. A mistake changes nothing. More options can be
    written into the file: docs/reference/sources-file.md.
    """
    if "://" not in address:
        folder = Path(address).expanduser().absolute()
        if not folder.is_dir():
            raise EarshotError(f"There is no folder {folder}.", "Any other address begins with https://.")
        address = str(folder)
    source = open_library().add_source(address, kind, options)
    click.echo(f"Added {source.name} ({source.kind}) to {read_settings().sources}. `earshot up` ingests its uploads.")


@sources_command.command("pause")
@click.argument("source")
def pause_command(source: str) -> None:
    """Pause a source (name or address): it is not polled, and none of its videos is started."""
    click.echo(f"Paused {open_library().pause_source(source).name}.")


@sources_command.command("resume")
@click.argument("source")
def resume_command(source: str) -> None:
    """Poll a paused source (name or address) again."""
    click.echo(f"Resumed {open_library().pause_source(source, paused=False).name}.")


def _row(source: WatchedSource) -> dict[str, Any]:
    return {
        "source": source.name,
        "kind": source.kind,
        "looked_at": f"{source.looked_at:%Y-%m-%d %H:%M}" if source.looked_at else None,
        **{count: getattr(source, count) for count in COUNTS},
        "state": source.state,
    }
