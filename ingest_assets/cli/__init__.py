"""The command line: `earshot`. Each command is a thin layer over functions of the library.

What a command prints for people goes to stdout as text, with `--json` as one JSON document; progress and errors go to
stderr. Exit codes: 0 all is well; 1 something asked for failed, the rest was done; 2 the set-up or the call is wrong and
nothing was done; 130 interrupted. An error is one line and a remedy, the traceback only with `--verbose`.
"""

import logging
import sys
import traceback

import click

from ingest_assets.cli.backfill import backfill_command
from ingest_assets.cli.doctor import doctor
from ingest_assets.cli.export import export_command
from ingest_assets.cli.ingest import ingest_command, retry_command
from ingest_assets.cli.library import videos_command
from ingest_assets.cli.people import people_group
from ingest_assets.cli.play import play_command
from ingest_assets.cli.search import search_command
from ingest_assets.cli.service import down, up, worker_command
from ingest_assets.cli.sources import sources_command
from ingest_assets.cli.stale import stale_command
from ingest_assets.cli.timings import timings_command
from resources.errors import EarshotError, Misconfigured


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


def main() -> None:
    """The console script: runs the group and turns errors into one line and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; what was finished is kept, run the same command again for the rest.", err=True)
        sys.exit(130)
    except EarshotError as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, Misconfigured) else 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: `earshot videos | head`
        sys.exit(1)
