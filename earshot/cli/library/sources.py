"""`earshot sources`: the sources of sources.yaml, what each has given, and what stands in the way of one."""

from typing import Any

import click

from earshot.cli.output import json_option, print_json, print_table
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source
from earshot.storage.catalog.source_states import SourceState, count_source_videos, states_of
from earshot.storage.database import open_database

COUNTS = ("listed", "wanted", "ready", "failed", "unavailable")


@click.command("sources")
@json_option
def sources_command(as_json: bool) -> None:
    """List the sources that are watched: what was wanted of each, when it was last looked at, and what is wrong with it."""
    from earshot.storage.catalog.watched_sources import watched_sources

    sources, database = watched_sources(), open_database()
    if not sources and not as_json:
        click.echo(f"No sources are watched: {read_settings().sources} names none (docs/sources.md says how).")
        return
    addresses = [source.address for source in sources]
    counts = count_source_videos(database, addresses)
    states = states_of(database, addresses)
    rows = [_row(source, state, counts.get(source.address, {})) for source, state in zip(sources, states, strict=True)]
    if as_json:
        print_json(rows)
        return
    headings = [(heading, "left") for heading in ("source", "kind", "looked at")]
    headings += [(heading, "right") for heading in COUNTS] + [("state", "left")]
    print_table(headings, [tuple("" if cell is None else str(cell) for cell in row.values()) for row in rows])


def _row(source: Source, state: SourceState, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "source": source.name,
        "kind": source.kind.value,
        "looked_at": f"{state.looked_at:%Y-%m-%d %H:%M}" if state.looked_at else None,
        **{count: counts.get(count, 0) for count in COUNTS},
        "state": _condition(state),
    }


def _condition(state: SourceState) -> str:
    if state.paused:
        return f"left alone until {state.paused_until:%Y-%m-%d %H:%M} UTC: {state.last_error}"
    if state.last_error:
        times = "once" if state.failures == 1 else f"{state.failures} times"
        return f"failed {times}: {state.last_error}" if state.failures else state.last_error
    if state.looked_at is None:
        return "not looked at yet: `earshot up` does"
    return "ok" if state.fully_listed else "to be listed whole"
