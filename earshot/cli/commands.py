"""The group `earshot` with all its commands. earshot/cli/run.py runs them and sets the exit code."""

import logging
import sys

import click

from earshot.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS = {
    "backfill": LazyCommand(
        "earshot.cli.operation.backfill:backfill_command",
        "Run stages again for many videos.",
    ),
    "backup": LazyCommand("earshot.cli.library.backup:backup_command", "Back up the library to a folder or a URL."),
    "correct": LazyCommand("earshot.cli.reading.correct:correct_command", "Correct words of a transcript."),
    "doctor": LazyCommand("earshot.cli.operation.doctor:doctor", "Check that the device, libraries, models and database work."),
    "down": LazyCommand("earshot.cli.operation.service:down", "Stop `earshot up` and the embedded Postgres."),
    "evaluate": LazyCommand(
        "earshot.cli.reading.evaluate:evaluate_command",
        "Compare transcripts with references, and list the errors.",
    ),
    "export": LazyCommand(
        "earshot.cli.reading.export:export_command",
        "Export transcripts as subtitles, notes, documents, tables or JSON.",
    ),
    "feed": LazyCommand("earshot.cli.reading.feed:feed_command", "Write a source as a podcast with transcripts and chapters."),
    "hints": LazyCommand(
        "earshot.cli.library.hints:hints_command",
        "Show or give hints for a video: speakers, languages, names.",
    ),
    "ingest": LazyCommand(
        "earshot.cli.operation.ingest:ingest_command",
        "Ingest videos from channels, playlists, feeds, files or folders.",
    ),
    "init": LazyCommand("earshot.cli.operation.init:init_command", "Make a folder for a library, without a clone."),
    "mcp": LazyCommand("earshot.cli.operation.mcp:mcp_command", "Let an AI assistant search and read the library, over MCP."),
    "page": LazyCommand("earshot.cli.operation.page:page_command", "Serve Earshot's page alone, without the queue."),
    "people": LazyCommand("earshot.cli.people.group:people_group", "Manage people, their recordings and corrections."),
    "play": LazyCommand(
        "earshot.cli.reading.play:play_command",
        "Play a search result, or a video from a given time.",
    ),
    "remove": LazyCommand(
        "earshot.cli.library.remove:remove_command", "Remove a video, a source with all its videos, or what has expired."
    ),
    "restore": LazyCommand("earshot.cli.library.backup:restore_command", "Restore a backup into an empty library."),
    "retry": LazyCommand(
        "earshot.cli.operation.ingest:retry_command",
        "Retry failed videos now.",
    ),
    "search": LazyCommand(
        "earshot.cli.reading.search:search_command",
        "Search what was said, by meaning and by words.",
    ),
    "serve": LazyCommand(
        "earshot.cli.operation.serve:serve_group",
        "Run one of Dagster's processes, in containers or under a supervisor.",
    ),
    "site": LazyCommand("earshot.cli.reading.site:site_command", "Write transcripts as a static site that needs no server."),
    "sources": LazyCommand(
        "earshot.cli.library.sources:sources_command",
        "List the watched sources and their states, or change them.",
    ),
    "stale": LazyCommand(
        "earshot.cli.library.stale:stale_command",
        "Show which stages are out of date, and why.",
    ),
    "timings": LazyCommand(
        "earshot.cli.library.timings:timings_command",
        "Show how long each stage took.",
    ),
    "up": LazyCommand("earshot.cli.operation.service:up", "Start Earshot's page, Dagster's UI, the queue and the workers."),
    "videos": LazyCommand(
        "earshot.cli.library.videos:videos_command",
        "List the videos in the library and their states.",
    ),
    "webhooks": LazyCommand(
        "earshot.cli.library.webhooks:webhooks_command",
        "List what was posted to webhooks, replay or test them.",
    ),
    "worker": LazyCommand(
        "earshot.cli.operation.service:worker_command",
        "Process videos for a library on another machine.",
    ),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="earshot")
@click.option("--verbose", is_flag=True, help="Show tracebacks and the logs of libraries.")
def cli(verbose: bool) -> None:
    """Search recorded speech by meaning, by words and by speaker."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)
