"""A site that blocks: its source ends at once, the other sources go on."""

import pytest

from earshot.config.sources_file import Source, source_named
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance
from tests.support.feeds import feed
from tests.support.http_server import Answer, Site

SOURCES = ("blocked", "gone")


@pytest.fixture
def feeds(site: Site) -> list[Source]:
    """Two feeds of three entries each: the media of one are answered with 429, those of the other with 404."""
    for name in SOURCES:
        site.put(f"/{name}.xml", Answer(feed(f"{name[0]}1", f"{name[0]}2", f"{name[0]}3", media=f"{site.url}/{name}")))
    for number in (1, 2, 3):
        site.put(f"/blocked/b{number}.mp3", Answer(status=429))
    return [source_named(f"{site.url}/{name}.xml") for name in SOURCES]


def outcomes(sources: list[Source], database: Database, *, force: bool = False) -> list[Outcome]:
    steps = ingest(sources, IngestChoice(force=force), database, open_instance())
    return [step for step in steps if isinstance(step, Outcome)]


def media_requests(site: Site, name: str) -> set[str]:
    return {request.path for request in site.asked if request.path.startswith(f"/{name}/")}


def test_blocked_source_stops_and_the_next_goes_on(site: Site, feeds: list[Source], database: Database) -> None:
    first, untried, *gone = outcomes(feeds, database)
    assert [outcome.result for outcome in (first, untried, *gone)] == ["failed"] * 5
    assert first.blocked
    assert "HTTP Error 429" in first.error
    assert untried.video is None
    assert "2 videos were not tried" in untried.error
    assert not any(outcome.blocked for outcome in gone)
    assert media_requests(site, "blocked") == {"/blocked/b1.mp3"}
    assert media_requests(site, "gone") == {f"/gone/g{number}.mp3" for number in (1, 2, 3)}


def test_refused_video_stays_new_with_its_error(feeds: list[Source], database: Database) -> None:
    outcomes(feeds[:1], database)
    states = {video.title: (video.state, video.attempts, bool(video.last_error)) for video in list_videos(database)}
    assert states == {"b1": ("new", 0, True), "b2": ("new", 0, False), "b3": ("new", 0, False)}


def test_paused_source_is_read_only_with_force(site: Site, feeds: list[Source], database: Database) -> None:
    outcomes(feeds[:1], database)
    requests = len(site.asked)
    [outcome] = outcomes(feeds[:1], database)
    assert "paused until" in outcome.error
    assert len(site.asked) == requests
    outcomes(feeds[:1], database, force=True)
    assert len(site.asked) > requests
