"""`earshot stale`: which stages of which videos are out of date, and why."""

import click

from earshot.cli.output import json_option, json_rows, print_json, print_stale
from earshot.common.text import pluralize
from earshot.library.library import Library
from earshot.storage.catalog.stages import STAGES


@click.command("stale")
@click.argument("stages", nargs=-1, type=click.Choice(STAGES), metavar="[STAGE]...")
@json_option
def stale_command(stages: tuple[str, ...], as_json: bool) -> None:
    """Tell what is out of date after a change of code or model, and why; nothing is run.

    `took` is what these stages took last time, without loading models. With --json each stage of each video is told.
    """
    stale = Library().stale(stages)
    if as_json:
        print_json(json_rows(stale))
    elif stale.empty:
        click.echo("Nothing is out of date.")
    else:
        print_stale(stale)
        told = pluralize(stale.video_id.nunique(), "video")
        click.echo(f"Out of date: {told}. `earshot backfill --stale` does these stages again.")
