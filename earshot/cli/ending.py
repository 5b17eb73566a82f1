"""How a command ends: each error as one line and an exit code, the traceback only with `--verbose`."""

import sys
import traceback

import click

from earshot.cli.interrupt import INTERRUPTED
from earshot.common.errors import EarshotError, Misconfigured
from earshot.storage.full_disk import explaining_full_disk


def run(command: click.Command) -> int:
    """Run the command with this process's arguments; returns the exit code."""
    try:
        with explaining_full_disk():
            command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(INTERRUPTED, err=True)
        return 130
    except EarshotError as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        return 2 if isinstance(error, Misconfigured) else 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: `earshot videos | head`
        return 1
    return 0
