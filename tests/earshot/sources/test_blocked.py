"""A site that blocks, played by a real server on loopback: its source ends at once, the other sources go on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from bench.harness.server import answering
from earshot.config.sources_file import Source, source_named
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>{items}</channel></rss>"""
ITEM = (
    "<item><guid>{name}-{number}</guid><title>{name} {number}</title>"
    '<enclosure url="{url}/{name}-{number}.mp3" type="audio/mpeg"/></item>'
)


@dataclass
class Site:
    """Feeds of three entries each; media of `blocked` are answered with 429, of `gone` with 404."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            if not name.endswith(".xml"):
                state.asked.append(name)
                self.send_error(429 if name.startswith("blocked") else 404)
                return
            items = "".join(ITEM.format(name=name.removesuffix(".xml"), number=n, url=state.url) for n in (1, 2, 3))
            body = FEED.format(items=items).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with answering(Handler) as state.url:
        yield state


def test_a_blocking_site_is_left_alone_and_the_next_source_goes_on(site: Site, database: Database) -> None:
    sources = [f"{site.url}/blocked.xml", f"{site.url}/gone.xml"]
    outcomes = [
        step for step in ingest(_named(sources), IngestChoice(), database, open_instance()) if isinstance(step, Outcome)
    ]
    assert [outcome.result for outcome in outcomes] == ["failed"] * 5
    first, untried, *gone = outcomes
    assert first.blocked
    assert "HTTP Error 429" in first.error
    assert untried.video is None
    assert untried.error == f"{sources[0]}: the site blocks this machine; 2 videos were not tried."
    assert not any(outcome.blocked for outcome in gone)
    assert {name for name in site.asked if name.startswith("blocked")} == {"blocked-1.mp3"}
    assert {name for name in site.asked if name.startswith("gone")} == {"gone-1.mp3", "gone-2.mp3", "gone-3.mp3"}


def test_a_video_that_was_refused_stays_new_and_keeps_the_reason(site: Site, database: Database) -> None:
    list(ingest(_named([f"{site.url}/blocked.xml"]), IngestChoice(), database, open_instance()))
    states = {video.title: (video.state, video.attempts, bool(video.last_error)) for video in list_videos(database)}
    assert states == {"blocked 1": ("new", 0, True), "blocked 2": ("new", 0, False), "blocked 3": ("new", 0, False)}


def test_blocked_source_is_not_polled_during_its_pause_unless_forced(site: Site, database: Database) -> None:
    named = _named([f"{site.url}/blocked.xml"])
    list(ingest(named, IngestChoice(), database, open_instance()))
    asked = len(site.asked)
    [outcome] = [step for step in ingest(named, IngestChoice(), database, open_instance()) if isinstance(step, Outcome)]
    assert "paused until" in outcome.error
    assert len(site.asked) == asked
    list(ingest(named, IngestChoice(force=True), database, open_instance()))
    assert len(site.asked) > asked


def _named(addresses: list[str]) -> list[Source]:
    return [source_named(address) for address in addresses]
