"""Pages of Dagster's UI, opened in a real browser: how long until one is complete, and its requests to the webserver.

A page is complete when its text is visible and no GraphQL request has been open for QUIET_S; the page's regular polling is not
waited for. Each load starts from a blank page, with the browser's cache warm.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

QUIET_S = 1.0
PATIENCE_S = 60.0
POLL_MS = 50.0


@dataclass(frozen=True)
class Shown:
    """A page: its path under the UI's URL, and a text that it shows when it is complete."""

    name: str
    path: str
    text: str


@dataclass(frozen=True)
class Question:
    """One GraphQL request: seconds from sending it to the end of the response, and the response's bytes."""

    operation: str
    seconds: float
    size: int


@dataclass(frozen=True)
class Load:
    """One load of a page."""

    seconds: float
    questions: tuple[Question, ...]


@dataclass
class Listening:
    """Tracks a page's GraphQL requests: those still open, and those answered, in order."""

    open: dict[Request, float] = field(default_factory=dict)
    answered: list[tuple[Request, float, float]] = field(default_factory=list)

    def begun(self, request: Request) -> None:
        if urlsplit(request.url).path == "/graphql" and request.method == "POST":
            self.open[request] = monotonic()

    def ended(self, request: Request) -> None:
        if request in self.open:
            self.answered.append((request, self.open.pop(request), monotonic()))

    @property
    def last_s(self) -> float:
        """When the last response arrived."""
        return max((ended for _, _, ended in self.answered), default=0.0)


def load(page: Page, shown: Shown) -> Load:
    """Open the page and wait until it is complete. Raises RuntimeError if that takes longer than PATIENCE_S."""
    page.goto("about:blank")
    listening = Listening()
    listeners: dict[Any, Any] = {
        "request": listening.begun,
        "requestfinished": listening.ended,
        "requestfailed": listening.ended,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    began = monotonic()
    page.goto(shown.path, wait_until="commit")
    page.get_by_text(shown.text).first.wait_for(state="visible", timeout=PATIENCE_S * 1000)
    seen = monotonic()
    while listening.open or monotonic() - max(seen, listening.last_s) < QUIET_S:
        if monotonic() - began > PATIENCE_S:
            raise RuntimeError(f"{shown.path} still asks: {[operation(request) for request in listening.open]}")
        page.wait_for_timeout(POLL_MS)
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return Load(max(seen, listening.last_s) - began, tuple(_question(*request) for request in listening.answered))


def operation(request: Request) -> str:
    """The name of the request's GraphQL operation."""
    return str(json.loads(request.post_data or "{}").get("operationName"))


def _question(request: Request, began: float, ended: float) -> Question:
    response = request.response()
    return Question(operation(request), ended - began, len(response.body()) if response else 0)


def slowest(loads: Sequence[Load], count: int) -> list[Question]:
    """The `count` slowest requests, at most one per operation."""
    worst: dict[str, Question] = {}
    for question in (question for each in loads for question in each.questions):
        if question.operation not in worst or worst[question.operation].seconds < question.seconds:
            worst[question.operation] = question
    return sorted(worst.values(), key=lambda question: -question.seconds)[:count]
