"""A source's feed over HTTP: what it names can be fetched."""

from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from earshot.transcripts.publishing.podcast_feed import PODCAST, TRANSCRIPTS
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video

SOURCE = "https://x/feed?a=1&b=2"


@pytest.fixture
def spoken(database: Database) -> None:
    add_video(database, "talk", ("SPEAKER_00", "this is a talk"), source=SOURCE)
    run_stages(database, "talk", *STAGES)
    database.query("UPDATE videos SET state = 'ready', duration_s = 1000")


@pytest.mark.usefixtures("spoken")
def test_every_address_of_a_feed_answers_with_its_type(client: TestClient) -> None:
    answer = client.get("/api/v1/feed", params={"source": SOURCE})
    assert answer.headers["content-type"] == "application/rss+xml; charset=utf-8"
    item = ElementTree.fromstring(answer.text).find("channel/item")
    assert item is not None
    tags = [each for tag in ("transcript", "chapters") for each in item.iter(f"{{{PODCAST}}}{tag}")]
    named = [(each.get("url", ""), each.get("type", "")) for each in tags]
    assert [kind for _, kind in named] == [*TRANSCRIPTS.values(), "application/json+chapters"]
    for url, kind in named:
        fetched = client.get(url)
        assert fetched.status_code == 200
        assert fetched.headers["content-type"].startswith(kind)
    assert client.get(named[-1][0]).json() == {"version": "1.2.0", "chapters": []}


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("params", [{"source": "https://nowhere"}, {"source": SOURCE, "after": "nonsense"}])
def test_unknown_source_or_page_is_a_problem(client: TestClient, params: dict[str, str]) -> None:
    answer = client.get("/api/v1/feed", params=params)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
