"""A server on loopback that answers with whatever a case gives it: bodies without end, drips, redirects without end."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from bench.harness.server import answering_from

Body = bytes | Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class HostileAnswer:
    """A body, or a function that gives its pieces. `announced`: Content-Length, None for no such header."""

    body: Body = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None


@dataclass
class HostileSite:
    """Answers by path; a path that ends in `*` answers all that begin so."""

    url: str = ""
    answers: dict[str, HostileAnswer] = field(default_factory=dict)

    def put(self, path: str, answer: HostileAnswer) -> str:
        self.answers[path] = answer
        return f"{self.url}{path}"

    def find(self, path: str) -> HostileAnswer:
        exact = self.answers.get(path.partition("?")[0])
        beginnings = (answer for key, answer in self.answers.items() if key.endswith("*") and path.startswith(key[:-1]))
        return exact or next(beginnings, HostileAnswer(b"Nothing here.", 404))


def endless(piece: bytes, most: int) -> Callable[[], Iterable[bytes]]:
    """A body that goes on for as long as it is read; of `most` bytes, so that a defect does not fill the machine."""

    def pieces() -> Iterator[bytes]:
        for _ in range(most // len(piece)):
            yield piece

    return pieces


def drip(head: bytes, pause_s: float = 1.0, most_s: float = 900.0) -> Callable[[], Iterable[bytes]]:
    """A beginning, then a byte now and then."""

    def pieces() -> Iterator[bytes]:
        yield head
        started = time.monotonic()
        while time.monotonic() - started < most_s:
            time.sleep(pause_s)
            yield b" "

    return pieces


@contextmanager
def hostile_site() -> Iterator[HostileSite]:
    """A server for the block."""
    site = HostileSite()
    with answering_from(site, _Handler) as site.url:
        yield site


class _Handler(BaseHTTPRequestHandler):
    state: HostileSite
    lock = threading.Lock()

    def do_GET(self) -> None:
        answer = self.state.find(self.path)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = answer.announced
        if length is None and isinstance(answer.body, bytes) and "Transfer-Encoding" not in answer.headers:
            length = len(answer.body)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(OSError):  # the client has gone
                for piece in (answer.body,) if isinstance(answer.body, bytes) else answer.body():
                    self.wfile.write(piece)
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None: ...
