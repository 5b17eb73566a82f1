"""Feeds of a source, read by feedparser and by gPodder's parser."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import feedparser
import podcastparser
import pytest

from earshot import Library, open_library
from earshot.common.errors import EarshotError
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.publishing.podcast_feed import PODCAST
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video, identify

SOURCE = "https://x/feed"
BASE = "http://127.0.0.1:3001"
FIRST_DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def opened(database: Database) -> Library:
    """Three videos of a source, of which Ana speaks in the first; one of another source, and one without a transcript."""
    for number in range(3):
        day = FIRST_DAY + timedelta(days=number)
        add_video(database, f"talk-{number}", ("SPEAKER_00", f"this is talk {number}"), source=SOURCE, published=day)
    add_video(database, "other", ("SPEAKER_00", "something else"), source="https://x/other")
    register(database, [Video("new", "https://x/new", SOURCE, "New")])
    person = add_person(database, "Ana & Bo")
    identify(database, "talk-0", "SPEAKER_00", person_id=person.person_id, decided_by="profile", reason="")
    for video in ("talk-0", "talk-1", "talk-2", "other"):
        run_stages(database, video, *STAGES)
    database.query("UPDATE videos SET state = 'ready' WHERE video_id <> 'new'")
    return open_library()


def read(rss: str) -> Any:
    found = feedparser.parse(rss.encode())
    assert not found.bozo
    return found


def test_feed_has_the_ready_videos_newest_first(opened: Library) -> None:
    found = read(opened.feed(SOURCE, BASE))
    assert [entry.id for entry in found.entries] == ["talk-2", "talk-1", "talk-0"]
    assert [entry.link for entry in found.entries][:1] == [f"{BASE}/videos/talk-2"]
    assert [entry.published for entry in found.entries][:1] == ["Tue, 03 Mar 2026 12:00:00 +0000"]
    assert found.entries[0].enclosures == [{"href": f"{BASE}/api/v1/videos/talk-2/audio", "type": "audio/flac", "length": "0"}]


def test_podcast_app_finds_sound_and_title(opened: Library) -> None:
    podcast = podcastparser.parse(f"{BASE}/api/v1/feed", io.BytesIO(opened.feed(SOURCE, BASE).encode()))
    assert podcast["title"] == SOURCE
    [episode] = [each for each in podcast["episodes"] if each["guid"] == "talk-0"]
    assert episode["title"] == "Talk-0"
    assert [each["url"] for each in episode["enclosures"]] == [f"{BASE}/api/v1/videos/talk-0/audio"]


def test_episode_names_transcripts_and_people(opened: Library) -> None:
    item = ElementTree.fromstring(opened.feed(SOURCE, BASE)).findall("channel/item")[-1]
    transcripts = item.findall(f"{{{PODCAST}}}transcript")
    assert [(each.get("type"), each.get("url"), each.get("language")) for each in transcripts] == [
        ("text/vtt", f"{BASE}/api/v1/videos/talk-0/export?format=vtt", "en"),
        ("application/x-subrip", f"{BASE}/api/v1/videos/talk-0/export?format=srt", "en"),
        ("application/json", f"{BASE}/api/v1/videos/talk-0/export?format=podcast", "en"),
    ]
    assert [each.text for each in item.findall(f"{{{PODCAST}}}person")] == ["Ana & Bo"]


def test_pages_follow_each_other_without_gap(opened: Library) -> None:
    seen, after = [], None
    while True:
        rss = opened.feed(SOURCE, BASE, after=after, limit=1)
        seen += [entry.id for entry in read(rss).entries]
        following = [link.href for link in read(rss).feed.links if link.rel == "next"]
        if not following:
            break
        after = parse_qs(urlsplit(following[0]).query)["after"][0]
    assert seen == ["talk-2", "talk-1", "talk-0"]


def test_files_of_a_feed_are_those_it_names(opened: Library, tmp_path: Path) -> None:
    assert opened.export_feed(SOURCE, tmp_path, "https://example.com/talks/") == 3
    root = ElementTree.parse(tmp_path / "feed.xml").getroot()
    named = [each.get("url", "") for each in root.iter(f"{{{PODCAST}}}transcript")]
    assert len(named) == 9
    for url in named:
        assert (tmp_path / url.removeprefix("https://example.com/talks/")).stat().st_size > 0
    segments = json.loads((tmp_path / "transcripts" / "talk-1.podcast.json").read_text())["segments"]
    assert [segment["body"] for segment in segments] == ["this is talk 1"]
    assert json.loads((tmp_path / "transcripts" / "talk-1.chapters.json").read_text()) == {"version": "1.2.0", "chapters": []}


def test_title_of_hostile_characters_is_text(opened: Library) -> None:
    opened.database.query("UPDATE videos SET title = %s WHERE video_id = 'talk-1'", ["<b>&]]>\ufffe</title> \U0001f399"])
    titles = [each.text for each in ElementTree.fromstring(opened.feed(SOURCE, BASE)).iterfind("channel/item/title")]
    assert titles[1] == "<b>&]]> </title> \U0001f399"


def test_unknown_source_has_no_feed(opened: Library) -> None:
    with pytest.raises(EarshotError, match="nowhere"):
        opened.feed("https://nowhere", BASE)
