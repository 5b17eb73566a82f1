"""Dagster's webserver and its daemon, each in this process, with what Dagster has no setting for.

The webserver gets a middleware around all its routes, websockets too. The daemon ends if the clock is set back: its threads
compute their pauses from the time of day, and one that looked at it just before sleeps until the clock is there again. Whatever
supervises the daemon starts it again.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.middleware import Middleware

SET_BACK_S = 60.0  # a smaller step only lengthens a pause
CHECK_CLOCK_S = 5.0

log = logging.getLogger(__name__)


def serve_dagster(arguments: Sequence[str], outermost: "Middleware") -> None:
    """Run `dagster-webserver` with these arguments in this process, until it is stopped."""
    from dagster_webserver import cli
    from dagster_webserver.webserver import DagsterWebserver

    inner = DagsterWebserver.build_middleware

    def build_middleware(self: DagsterWebserver) -> list["Middleware"]:
        return [outermost, *inner(self)]

    DagsterWebserver.build_middleware = build_middleware
    _leave_logging_to_dagster()
    cli.dagster_webserver.main(args=list(arguments), prog_name="dagster-webserver")


def run_daemon(workspace: str) -> None:
    """Run `dagster-daemon` in this process, until it is stopped or the clock is set back."""
    [program] = entry_points(group="console_scripts", name="dagster-daemon")
    threading.Thread(target=wait_until_set_back, args=(_end_daemon,), daemon=True).start()
    _leave_logging_to_dagster()
    sys.argv = [program.name, "run", "--workspace", workspace]
    program.load()()


def _leave_logging_to_dagster() -> None:
    """Remove the handler of the command line, which would print each line again."""
    logging.getLogger().handlers.clear()


def wait_until_set_back(then: Callable[[float], None]) -> None:
    """Call `then` with the seconds by which the clock was set back, once it was by more than SET_BACK_S."""
    ahead = _ahead_of_monotonic()
    while True:
        time.sleep(CHECK_CLOCK_S)
        before, ahead = ahead, _ahead_of_monotonic()
        if before - ahead > SET_BACK_S:
            then(before - ahead)
            return


def _ahead_of_monotonic() -> float:
    return time.time() - time.monotonic()


def _end_daemon(step_s: float) -> None:
    log.error("The clock was set back by %.0f s, at which Dagster's daemon would sleep for as long; it ends instead.", step_s)
    os.kill(os.getpid(), signal.SIGTERM)
