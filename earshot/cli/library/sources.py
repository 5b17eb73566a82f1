"""`earshot sources`: the watched sources, the number of their videos, and their errors."""

from typing import Any

import click

from earshot.cli.output import json_option, print_json, print_table
from earshot.config.settings import read_settings
from earshot.library.library import Library
from earshot.library.sources import COUNTS, WatchedSource


@click.command("sources")
@json_option
def sources_command(as_json: bool) -> None:
    """List the watched sources and their states.

    Shows when each source was last polled, how many videos it lists, how many of them sources.yaml wants, and what is wrong
    with it, if anything.
    """
    watched = Library().sources()
    if not watched and not as_json:
        click.echo(f"No sources are watched. Add some to {read_settings().sources} (see docs/guides/sources.md).")
        return
    rows = [_row(source) for source in watched]
    if as_json:
        print_json(rows)
        return
    headings = [(heading, "left") for heading in ("source", "kind", "last polled")]
    headings += [(heading, "right") for heading in COUNTS] + [("state", "left")]
    print_table(headings, [tuple("" if cell is None else str(cell) for cell in row.values()) for row in rows])


def _row(source: WatchedSource) -> dict[str, Any]:
    return {
        "source": source.name,
        "kind": source.kind,
        "looked_at": f"{source.looked_at:%Y-%m-%d %H:%M}" if source.looked_at else None,
        **{count: getattr(source, count) for count in COUNTS},
        "state": source.state,
    }
