"""A scripted HTTP server on loopback, for feeds, pages and media that fail in any way.

    with misbehaving() as site:
        site.put("/feed.xml", Answer(status=500), Answer(feed, etag='"1"'))   # 500 once, then the feed; 304 to its ETag
        site.put("/talk.mp3", Answer(media, drop_after=1000))                 # never more than 1000 bytes at a time
        read(f"{site.url}/feed.xml")
        assert [asked.headers.get("If-None-Match") for asked in site.asked_for("/feed.xml")] == [None, '"1"']

Each path has a script: every request takes its next answer, the last one stays for all that follow. What is not scripted is
404. Every answer ends its connection, so that no client can tell a stopped server from a slow one by mistake.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any

from bench.harness.server import answering_from


@dataclass(frozen=True)
class Answer:
    """One answer. A `Range` is honoured with 206 and a matching `If-None-Match` or `If-Modified-Since` with 304, if it is 200.

    `drop_after`: bytes sent of what was announced, then the connection is dropped; a `Range` starts a new count.
    `announced`: False leaves Content-Length away, so that only the end of the connection ends the body.
    `piece`, `pause_s`: the body goes out in pieces of so many bytes, with a pause before each.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    last_modified: str | None = None
    ranges: bool = True
    drop_after: int | None = None
    announced: bool = True
    piece: int = 1 << 16
    pause_s: float = 0.0


def moved(location: str, status: int = 302) -> Answer:
    """A redirect."""
    return Answer(status=status, headers={"Location": location})


def too_many(retry_after: str | None = None, status: int = 429) -> Answer:
    """A refusal for a while: `retry_after` in seconds or as an HTTP date."""
    return Answer(status=status, headers={"Retry-After": retry_after} if retry_after else {})


@dataclass(frozen=True)
class Asked:
    """A request as it came in: `path` with its query."""

    method: str
    path: str
    headers: Message


@dataclass
class Site:
    """What the server does (`put`) and what was asked of it, in order."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _scripts: dict[str, list[Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, *answers: Answer) -> str:
        """From now on, answer this path so; gives its URL. A path without a query also stands for any query."""
        with self._lock:
            self._scripts[path] = list(answers)
        return self.url + path

    def asked_for(self, path: str) -> list[Asked]:
        """The requests for this path, with this query or, where it has none, with any."""
        return [asked for asked in self.asked if path in (asked.path, asked.path.partition("?")[0])]

    def next_answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            script = self._scripts.get(asked.path) or self._scripts.get(asked.path.partition("?")[0])
            if not script:
                return Answer(b"Nothing here.", status=404)
            return script.pop(0) if len(script) > 1 else script[0]


@contextmanager
def misbehaving() -> Iterator[Site]:
    """A server for the block, which as yet answers everything with 404."""
    site = Site()
    with answering_from(site, _Handler) as site.url:
        yield site


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Site

    def do_GET(self) -> None:
        answer = self.state.next_answer(Asked(self.command, self.path, self.headers))
        with suppress(ConnectionError):  # the client has gone
            self._send(answer)
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, answer: Answer) -> None:
        if answer.status == 200 and self._has_it(answer):
            self._head(304, answer, {})
            return
        status, body, headers = answer.status, answer.body, {}
        asked_range = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked_range and answer.ranges and status == 200:
            status, body, headers = _part(body, int(asked_range[1]), int(asked_range[2] or len(body) - 1))
        if answer.announced:
            headers["Content-Length"] = str(len(body))
        self._head(status, answer, headers)
        if self.command != "HEAD":
            self._write(body[: answer.drop_after], answer)

    def _has_it(self, answer: Answer) -> bool:
        etag, date = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
        return etag == answer.etag if etag else date is not None and date == answer.last_modified

    def _head(self, status: int, answer: Answer, headers: Mapping[str, str]) -> None:
        validators = {"ETag": answer.etag, "Last-Modified": answer.last_modified}
        self.send_response(status)
        for name, value in {**headers, **validators, **answer.headers, "Connection": "close"}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def _write(self, body: bytes, answer: Answer) -> None:
        for start in range(0, len(body), answer.piece):
            time.sleep(answer.pause_s)
            self.wfile.write(body[start : start + answer.piece])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None: ...


def _part(body: bytes, first: int, last: int) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers for these bytes, `last` included."""
    if first >= len(body):
        return 416, b"", {"Content-Range": f"bytes */{len(body)}"}
    part = body[first : last + 1]
    return 206, part, {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(body)}", "Accept-Ranges": "bytes"}
