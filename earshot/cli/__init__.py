"""The command line: `earshot`. Each command is a thin layer over functions of the library.

Results go to stdout, as text or, with `--json`, as one JSON document; progress and errors go to stderr. Exit codes: 0 success;
1 part of the work failed, the rest was done; 2 the set-up or the call is wrong and nothing was done; 130 interrupted. An error
is one line with a remedy; only `--verbose` adds the traceback.

A command's module is imported when the command is called (earshot/cli/lazy_group.py). Ctrl-C during an import ends the process.
"""

import sys

from earshot.cli.interrupt import exit_on_interrupt


def main() -> None:
    """The console script: runs the command and exits with its exit code."""
    with exit_on_interrupt():
        from earshot.cli.commands import cli
        from earshot.cli.run import run

    sys.exit(run(cli))
