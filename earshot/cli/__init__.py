"""The command line: `earshot`. Each command is a thin layer over functions of the library.

What a command prints for people goes to stdout as text, with `--json` as one JSON document; progress and errors go to
stderr. Exit codes: 0 all is well; 1 something asked for failed, the rest was done; 2 the set-up or the call is wrong and
nothing was done; 130 interrupted. An error is one line and a remedy, the traceback only with `--verbose`.

Nothing but the standard library is imported before `main()` watches for Ctrl-C: all the commands take two seconds to import.
"""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = "Interrupted; what was finished is kept, run the same command again for the rest."


def main() -> None:
    """The console script: imports the commands, runs the one that is asked for, and ends with its exit code."""
    # Of an import that is broken off some libraries make errors of their own. Nothing has begun yet: the process can just end.
    before = signal.signal(signal.SIGINT, _end)
    from earshot.cli.commands import cli
    from earshot.cli.ending import run

    signal.signal(signal.SIGINT, before)
    sys.exit(run(cli))


def _end(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(130)
