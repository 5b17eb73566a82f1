"""Progress of the running stage, for a watcher in this process.

Stages call `report()`; the command line registers a watcher with `watching()` and draws a bar. Without one, reports do nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, float], object]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def report(stage: str, share: float) -> None:
    """Report that this share (0 to 1) of the stage is done."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(stage, min(1.0, max(0.0, share)))


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Call `watcher(stage, share)` for each report within the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
