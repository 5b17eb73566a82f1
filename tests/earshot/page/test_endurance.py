"""What the server of the page survives: many connections, slow clients, a database that is away for a moment."""

import itertools
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

from earshot import Library
from earshot.page.api import events
from earshot.page.api.events import Broadcast
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, samples_sha256
from earshot.storage.server import stop_embedded
from tests.earshot.page.conftest import serving_page
from tests.support.videos.spoken_videos import add_video

CONNECTIONS = 200
SOUND = "/api/v1/videos/noise/audio"


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """A server of a library with a video `bridge` and a minute of sound `noise`."""
    add_video(database, "bridge", ("SPEAKER_00", "who paid for the bridge"))
    samples = np.random.default_rng(1).integers(-20_000, 20_000, 960_000).astype(np.int16)
    register(database, [Video("noise", "https://x/noise", "https://x", "Noise")])
    database.query(
        "INSERT INTO audio (video_id, uri, samples_sha256, samples, sample_rate, duration_s, downloader) "
        "VALUES ('noise', %s, %s, 960000, 16000, 60.0, 'file')",
        [MediaStore().write("noise", samples), samples_sha256(samples)],
    )
    with serving_page(Library()) as served:
        yield served


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


def _at_once(urls: list[str]) -> list[bytes]:
    """The answers to these requests, which are made at the same time."""
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(_get, urls))


def _connected(url: str, request: bytes = b"") -> socket.socket:
    parts = urlsplit(url)
    opened = socket.create_connection((str(parts.hostname), parts.port or 80))
    opened.sendall(request)
    return opened


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "], ids=["silent", "half a request"])
def test_many_connections_leave_the_page_usable(url: str, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(_connected(url, sent))
        assert b"Bridge" in _get(f"{url}/videos/bridge")


def test_clients_that_do_not_read_hold_no_thread(url: str) -> None:
    request = f"GET {SOUND} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(CONNECTIONS // 4):
            stack.enter_context(_connected(url, request))
        assert b"Bridge" in _get(f"{url}/videos/bridge")


EVENTS = b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_listeners_leave_the_page_usable_and_are_bounded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS", CONNECTIONS)
    with ExitStack() as stack:
        opened = [stack.enter_context(_connected(url, EVENTS)) for _ in range(CONNECTIONS)]
        for listening in opened:
            assert b"retry: " in _until(listening, b"retry: ")
        assert b"Bridge" in _get(f"{url}/videos/bridge")
        with pytest.raises(urllib.error.HTTPError) as refused:
            _get(f"{url}/api/v1/events")
        assert (refused.value.code, refused.value.headers["Retry-After"]) == (503, "30")
        assert "200 clients" in json.loads(refused.value.read())["title"]


def test_listeners_that_do_not_read_keep_no_events(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(events, "POLL_S", 0.02)
    monkeypatch.setattr(Broadcast, "_read", lambda _: {"number": next(numbers), "padding": "x" * 200_000})
    before = psutil.Process().memory_info().rss
    with ExitStack() as stack:
        for _ in range(CONNECTIONS // 4):
            stack.enter_context(_connected(url, EVENTS))
        _until(stack.enter_context(_connected(url, EVENTS)), b'"number": 40,')
        assert psutil.Process().memory_info().rss - before < 150 << 20  # all events of all would be 400 MB
        assert b"Bridge" in _get(f"{url}/videos/bridge")


def _until(listening: socket.socket, expected: bytes) -> bytes:
    """What is received until it has these bytes."""
    received = b""
    while expected not in received:
        more = listening.recv(1 << 20)
        assert more, "the server closed the connection"
        received = received[-100:] + more
    return received


def test_many_searches_at_once_are_all_answered(url: str) -> None:
    answers = _at_once([f"{url}/api/v1/search?q=bridge&words=true"] * 60)
    assert all(b"who paid for the bridge" in answer for answer in answers)


def test_requests_start_a_stopped_database_once(url: str, home: Path) -> None:
    assert stop_embedded(home)
    answers = _at_once([f"{url}/videos/bridge"] * 8)
    assert all(b"Bridge" in answer for answer in answers)
