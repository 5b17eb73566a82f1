"""Runs a command and turns its errors into one line and an exit code; `--verbose` adds the traceback."""

import sys
import traceback

import click

from earshot.cli.interrupt import INTERRUPTED
from earshot.common.errors import EarshotError, Misconfigured
from earshot.storage.full_disk import explaining_full_disk


def run(command: click.Command) -> int:
    """Run the command with the arguments of this process; returns its exit code."""
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
        return _show(error)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has closed the pipe: `earshot videos | head`
        return 1
    except Exception as error:
        from earshot.storage.outages import explain_outage  # loads the driver, for which only a failing command waits

        outage = explain_outage(error)
        if outage is None:
            raise
        return _show(outage)
    return 0


def _show(error: EarshotError) -> int:
    """Print the error; returns the exit code."""
    if "--verbose" in sys.argv:
        traceback.print_exc()
    click.echo(f"Error: {error}", err=True)
    return 2 if isinstance(error, Misconfigured) else 1
