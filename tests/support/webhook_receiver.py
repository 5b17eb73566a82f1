"""An endpoint of webhooks on loopback that answers as told: it accepts, refuses, hangs up, is late, or leads elsewhere."""

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from bench.harness.server import answering

CUT, LATE, NO_HTTP = "cut", "late", "no http"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Posted:
    """A post as it came in."""

    headers: Mapping[str, str]
    body: str

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


class Redirect(NamedTuple):
    """An answer that leads elsewhere."""

    status: int
    address: str


@dataclass
class Receiver:
    """`answers` are used up one by one: a status, a redirect, CUT, LATE (an answer of 200 once `late` is set), or
    NO_HTTP. Afterwards everything is accepted."""

    url: str = ""
    answers: deque[int | str | Redirect] = field(default_factory=deque)
    posts: list[Posted] = field(default_factory=list)
    late: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            receiver.posts.append(Posted({key.lower(): value for key, value in self.headers.items()}, body))
            self._answer(receiver.answers.popleft() if receiver.answers else 204)

        def do_GET(self) -> None:
            self.do_POST()

        def _answer(self, answer: int | str | Redirect) -> None:
            if answer == CUT:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif answer == NO_HTTP:
                # A receiver that repeats what it was sent.
                self.wfile.write(f"{self.headers['webhook-signature']} {self.headers['Authorization']}\r\n\r\n".encode())
            elif answer == LATE:
                receiver.late.wait(PATIENCE_S)
                self._say(200)
            elif isinstance(answer, Redirect):
                self._say(answer.status, Location=answer.address)
            else:
                self._say(int(answer))

        def _say(self, status: int, **headers: str) -> None:
            self.send_response(status, self.headers["webhook-signature"])
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with answering(Handler) as url:
        receiver.url = f"{url}/hook/Zx81-secretpath"
        try:
            yield receiver
        finally:
            receiver.late.set()
