"""People who use the library during a campaign: they search on the page, correct speakers, and type commands.

A caller accepts that a server is away for a while, with an answer that says so. What no one should ever see is a finding: half
a video, a traceback, an answer of 500, a command without an end.
"""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlencode

from bench.chaos.world import EARSHOT, World

SEARCH_S, CORRECT_S, COMMAND_S = 1.0, 4.0, 15.0  # between two calls
LONGEST_S = 60.0  # of a command
TIMEOUT_S = 240.0
AWAY = (502, 503, 504)
COMMANDS = (["videos", "--json"], ["search", "Sheila", "--json"], ["people", "list", "--json"], ["sources", "--json"])


@dataclass
class Callers:
    """What the callers know and saw. `passages`: those of a clean run, by recording; `recordings`: those of videos, by key."""

    world: World
    random: Random
    passages: dict[int, list[str]] = field(default_factory=dict)
    recordings: dict[str, int] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    findings: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    longest_command_s: float = 0.0
    changing: threading.Event = field(default_factory=threading.Event)

    def search(self) -> None:
        """All passages of one video: all of them are found, or none."""
        known = dict(self.recordings)
        if not known:
            return
        video = self.random.choice(sorted(known))
        answer = self._ask("GET", f"search?{urlencode({'q': 'hello', 'video': video, 'limit': 200})}")
        if answer is None:
            return
        found = sorted(hit["text"] for hit in answer["hits"])
        if found and found != self.passages[known[video]]:
            self.findings.append(f"search shows {len(found)} passages of {video}: half a video")

    def correct(self) -> None:
        """Name a speaker, or undo a correction."""
        if not self.changing.is_set() or not self.recordings:
            return
        if self.acknowledged and self.random.random() < 0.3:
            number = self.random.choice(sorted(self.acknowledged))
            if self._ask("DELETE", f"corrections/{number}") is not None:
                self.undone.add(number)
            self.acknowledged.discard(number)  # without an answer, it may be undone or not
            return
        what = f"{self.random.choice(sorted(self.recordings))}@SPEAKER_00"
        correction = {"action": "assign", "what": what, "person": f"Person {self.random.randint(1, 3)}"}
        answer = self._ask("POST", "corrections", correction)
        if answer is not None and answer["number"] is not None:
            self.acknowledged -= set(answer["overruled"])
            self.acknowledged.add(answer["number"])

    def command(self) -> None:
        """A command ends within a minute, with its result or one line."""
        if not self.changing.is_set():
            return
        arguments, started = self.random.choice(COMMANDS), time.monotonic()
        try:
            ended = subprocess.run(
                [EARSHOT, *arguments],
                env=self.world.environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.findings.append(f"earshot {arguments[0]} does not end within {TIMEOUT_S:.0f} s")
            return
        took_s = time.monotonic() - started
        self.longest_command_s = max(self.longest_command_s, took_s)
        self.calls["command"] = self.calls.get("command", 0) + 1
        if took_s > LONGEST_S:
            self.findings.append(f"earshot {arguments[0]} took {took_s:.0f} s")
        if "Traceback" in ended.stderr or ended.returncode not in (0, 1, 2):
            self.findings.append(f"earshot {arguments[0]} ended with {ended.returncode}: {ended.stderr[-600:]}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of the page's API; None if the page, or its database, is away, or refuses the request."""
        request = urllib.request.Request(f"{self.world.page_url}/api/v1/{path}", method=method)
        request.add_header("Content-Type", "application/json")
        self.calls[method] = self.calls.get(method, 0) + 1
        try:
            with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code >= 500 and error.code not in AWAY:
                self.findings.append(f"{method} {path} was answered with {error.code}: {text[:300]}")
        except (OSError, ValueError):  # no server, or it ended in the middle
            pass
        return None


@contextmanager
def calling(callers: Callers) -> Iterator[None]:
    """Let the callers call during the block."""
    ended = threading.Event()
    rhythm = ((callers.search, SEARCH_S), (callers.correct, CORRECT_S), (callers.command, COMMAND_S))
    threads = [threading.Thread(target=_repeat, args=(call, pause_s, ended), daemon=True) for call, pause_s in rhythm]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(TIMEOUT_S)


def _repeat(call: Callable[[], None], pause_s: float, ended: threading.Event) -> None:
    while not ended.wait(pause_s):
        with suppress(KeyError):  # an answer of another shape, as at the end of a server
            call()
