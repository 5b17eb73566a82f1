"""Ctrl-C while modules are imported: the process ends at once, with one line.

Some libraries turn an import that is interrupted into errors of their own, and nothing has begun yet.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "Interrupted; what was finished is kept, run the same command again for the rest."


@contextmanager
def ending_on_interrupt() -> Iterator[None]:
    """For the block: Ctrl-C ends the process. Only the main thread can be interrupted; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(130)
