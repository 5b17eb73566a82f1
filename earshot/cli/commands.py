"""The group `earshot` with all its commands. How they end is decided in earshot/cli/__init__.py."""

import logging
import sys

import click

from earshot.cli.library.sources import sources_command
from earshot.cli.library.stale import stale_command
from earshot.cli.library.timings import timings_command
from earshot.cli.library.videos import videos_command
from earshot.cli.operation.backfill import backfill_command
from earshot.cli.operation.doctor import doctor
from earshot.cli.operation.ingest import ingest_command, retry_command
from earshot.cli.operation.service import down, up, worker_command
from earshot.cli.people.people import people_group
from earshot.cli.reading.export import export_command
from earshot.cli.reading.play import play_command
from earshot.cli.reading.search import search_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="earshot")
@click.option("--verbose", is_flag=True, help="Show tracebacks and the libraries' own logs.")
def cli(verbose: bool) -> None:
    """Everything said on a channel, searchable by meaning, by word and by speaker."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)


for command in (
    ingest_command, retry_command, sources_command, videos_command, timings_command, stale_command, backfill_command,
    search_command, play_command, export_command, people_group, up, worker_command, down, doctor,
):  # fmt: skip
    cli.add_command(command)
