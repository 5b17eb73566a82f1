"""The group `earshot` with all its commands. How they end is decided in earshot/cli/__init__.py."""

import logging
import sys

import click

from earshot.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS = {
    "backfill": LazyCommand(
        "earshot.cli.operation.backfill:backfill_command",
        "Run STAGEs again, and what is made from them: of all videos, or with --stale of what is out of date.",
    ),
    "doctor": LazyCommand("earshot.cli.operation.doctor:doctor", "Prove that device, libraries, models and database work."),
    "down": LazyCommand("earshot.cli.operation.service:down", "Stop what `earshot up` started, and the embedded Postgres."),
    "export": LazyCommand(
        "earshot.cli.reading.export:export_command",
        "Write VIDEOs, a source's, or all as subtitles (srt, vtt), text, JSON, RTTM or SegLST; to stdout without --output.",
    ),
    "ingest": LazyCommand(
        "earshot.cli.operation.ingest:ingest_command",
        "Ingest SOURCEs: URLs of channels, playlists, feeds or videos; files; folders.",
    ),
    "people": LazyCommand(
        "earshot.cli.people.group:people_group", "Who is speaking: people, their recordings, and corrections."
    ),
    "play": LazyCommand(
        "earshot.cli.reading.play:play_command",
        "Play a result of the last search by its number (earshot play 2), or a video from a time on (VIDEO@0:12:30).",
    ),
    "retry": LazyCommand(
        "earshot.cli.operation.ingest:retry_command",
        "Try VIDEOs again now, or all in one state: also what failed for good, was given up, or waits for its next try.",
    ),
    "search": LazyCommand(
        "earshot.cli.reading.search:search_command",
        "Find the passages that answer TEXT, by meaning and by words: who said it, when, and where.",
    ),
    "sources": LazyCommand(
        "earshot.cli.library.sources:sources_command",
        "List the sources that are watched: what was wanted of each, when it was last looked at, and what is wrong with it.",
    ),
    "stale": LazyCommand(
        "earshot.cli.library.stale:stale_command",
        "Tell what is out of date after a change of code or model, and why; nothing is run.",
    ),
    "timings": LazyCommand(
        "earshot.cli.library.timings:timings_command",
        "Show what each stage cost: per stage in sum, or with --json every row that was recorded.",
    ),
    "up": LazyCommand("earshot.cli.operation.service:up", "Start the UI, the sensors and the queue; Ctrl-C stops them."),
    "videos": LazyCommand(
        "earshot.cli.library.videos:videos_command",
        "List the videos that are known, the state of each, and when what failed is tried again by itself.",
    ),
    "worker": LazyCommand(
        "earshot.cli.operation.service:worker_command",
        "Work for the library of another machine; Ctrl-C ends it once its videos are done, twice at once.",
    ),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="earshot")
@click.option("--verbose", is_flag=True, help="Show tracebacks and the libraries' own logs.")
def cli(verbose: bool) -> None:
    """Everything said on a channel, searchable by meaning, by word and by speaker."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)
