"""Readers of the page during a soak: now and then one searches, lists the videos, opens one, or looks at the metrics."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, urlencode

from bench.chaos.world import World

PAUSE_S = 5.0  # between two reads
TIMEOUT_S = 120.0
QUESTIONS = ("who lives in Texas", "an era of hope and despair", "rescued from the side of the road", "never give up", "Sheila")


@dataclass
class Readers:
    """How long the answers took since the last look, in seconds by what was read; and what went wrong. `videos`: ready ones."""

    world: World
    videos: list[str] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(1))
    took_s: dict[str, list[float]] = field(default_factory=dict)
    calls: int = 0
    failures: list[str] = field(default_factory=list)

    def read(self) -> None:
        """One read, chosen at random, once there is a video."""
        if not self.videos:
            return
        what, path = self.random.choice(self._paths())
        started = time.monotonic()
        try:
            with urllib.request.urlopen(f"{self.world.page_url}/{path}", timeout=TIMEOUT_S) as answer:
                answer.read()
        except OSError as error:  # urllib's errors, a refused connection, a timeout
            self.failures.append(f"{path}: {error}")
        else:
            self.took_s.setdefault(what, []).append(time.monotonic() - started)
        self.calls += 1

    def _paths(self) -> list[tuple[str, str]]:
        question = urlencode({"q": self.random.choice(QUESTIONS)})
        paths = [("search", f"api/v1/search?{question}"), ("search", f"search?{question}"), ("videos", "videos")]
        video = ("video", f"videos/{quote(self.random.choice(self.videos))}")
        return [*paths, ("people", "people"), ("metrics", "metrics"), video]


@contextmanager
def reading(readers: Readers) -> Iterator[None]:
    """Let them read during the block."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(PAUSE_S):
            readers.read()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(TIMEOUT_S)
