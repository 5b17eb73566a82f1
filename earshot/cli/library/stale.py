"""`earshot stale`: which stages of which videos are out of date, and why."""

from dataclasses import asdict

import click

from earshot.cli.output import json_option, print_json, print_stale
from earshot.common.text import pluralize
from earshot.library.library import Library
from earshot.library.work.stages import STAGES, count_videos


@click.command("stale")
@click.argument("stages", nargs=-1, type=click.Choice(STAGES), metavar="[STAGE]...")
@json_option
def stale_command(stages: tuple[str, ...], as_json: bool) -> None:
    """Show which stages are out of date, and why.

    A stage is out of date when its code version, its model or its input has changed. Nothing is run. The column `took` is the
    time that these stages took last time, without loading models. With --json, lists every stage of every video.
    """
    stale = Library().stale(stages)
    if as_json:
        print_json([asdict(stage) for stage in stale])
    elif not stale:
        click.echo("Nothing is out of date.")
    else:
        print_stale(stale)
        click.echo(f"Out of date: {pluralize(count_videos(stale), 'video')}. To update: earshot backfill --stale")
