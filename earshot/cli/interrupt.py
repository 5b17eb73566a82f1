"""Ctrl-C while modules are imported: the process exits immediately, with one line.

Some libraries turn an interrupted import into their own errors, and no work has begun that could be lost.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "Interrupted. Finished work is kept; run the same command again to continue."


@contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """Ctrl-C within the block ends the process. Does nothing outside the main thread, which alone receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _exit(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(130)
