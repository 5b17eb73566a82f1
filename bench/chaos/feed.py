"""A podcast's server on loopback, which behaves or misbehaves as the campaign says."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any

from bench.harness.server import answering_from

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
PIECE = 4096  # bytes of a slow answer
PAUSE_S = 0.5


class Mood(StrEnum):
    """How the server answers."""

    WELL = "well"
    SLOW = "slow"
    GONE = "gone"  # 503
    CUT = "cut"  # the connection ends in the middle
    LYING = "lying"  # the feed is a page of HTML, media is half of what the header says


@dataclass
class Feed:
    """The published episodes, by name, and the server's mood."""

    url: str = ""
    mood: Mood = Mood.WELL
    episodes: dict[str, bytes] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.url}/feed.xml"

    def document(self) -> bytes:
        items = "".join(
            f'<item><guid isPermaLink="false">{name}</guid><title>{name}</title>'
            f"<pubDate>{FIRST_DAY + timedelta(hours=number):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
            f'<enclosure url="{self.url}/{name}.mp3" type="audio/mpeg" length="{len(media)}"/></item>'
            for number, (name, media) in enumerate(self.episodes.items())
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Chaos</title>{items}</channel></rss>'.encode()


@contextmanager
def serving_feed() -> Iterator[Feed]:
    """The feed's server for the block."""
    feed = Feed()
    with answering_from(feed, _Handler) as feed.url:
        yield feed


class _Handler(BaseHTTPRequestHandler):
    state: Feed

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        mood = self.state.mood
        if mood is Mood.GONE:
            self.send_error(503)
            return
        is_feed = self.path == "/feed.xml"
        body = self.state.document() if is_feed else self.state.episodes.get(self.path.strip("/").removesuffix(".mp3"))
        if body is None:
            self.send_error(404)
            return
        if mood is Mood.LYING and is_feed:
            body = b"<!doctype html><html><body>Welcome to the hotel's network.</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml" if is_feed else "audio/mpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            half = mood is Mood.CUT or (mood is Mood.LYING and not is_feed)
            with suppress(ConnectionError):
                self._write(body[: len(body) // 2] if half else body, PAUSE_S if mood is Mood.SLOW else 0.0)

    def _write(self, body: bytes, pause_s: float) -> None:
        for start in range(0, len(body), PIECE):
            time.sleep(pause_s)
            self.wfile.write(body[start : start + PIECE])

    def log_message(self, format: str, *args: Any) -> None: ...
