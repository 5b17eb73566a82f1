"""The command line: `earshot`. Each command is a thin layer over functions of the library.

What a command prints for people goes to stdout as text, with `--json` as one JSON document; progress and errors go to
stderr. Exit codes: 0 all is well; 1 something asked for failed, the rest was done; 2 the set-up or the call is wrong and
nothing was done; 130 interrupted. An error is one line and a remedy, the traceback only with `--verbose`.

A command is imported when it is called (earshot/cli/lazy_group.py); Ctrl-C meanwhile ends the process.
"""

import sys

from earshot.cli.interrupt import ending_on_interrupt


def main() -> None:
    """The console script: runs the command that is asked for, and ends with its exit code."""
    with ending_on_interrupt():
        from earshot.cli.commands import cli
        from earshot.cli.ending import run

    sys.exit(run(cli))
