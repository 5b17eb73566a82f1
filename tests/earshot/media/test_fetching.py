"""Listing and fetching from files, folders, feeds and links, with real files and real loopback servers."""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest

from bench.corpora.episodes import write_mp3
from bench.harness.server import serving
from earshot.common.errors import Removed, SourceUnusable
from earshot.config.sources_file import source_named
from earshot.media.downloads import Fetched
from earshot.media.fetching import fetch
from earshot.sources.listing import list_all
from earshot.sources.listings import video_of
from earshot.storage.catalog.entries import is_url
from earshot.storage.catalog.videos import Video

AWKWARD = "Ünder \"the\" 'sea' & 100% 🎙 日本"
RATE = 16_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of noise as MP3."""
    path = tmp_path_factory.mktemp("recording") / "noise.mp3"
    write_mp3(path, np.random.default_rng(0).normal(0.0, 0.1, RATE).astype(np.float32))
    return path


@dataclass(frozen=True)
class Site:
    """A folder and the URL it is served at."""

    folder: Path
    url: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder) as url:
        yield Site(folder, url)


@pytest.fixture
def site(server: Site, recording: Path) -> Site:
    """A part of the server for one test, with one recording, talk.mp3."""
    name = uuid.uuid4().hex
    part = Site(server.folder / name, f"{server.url}/{name}")
    part.folder.mkdir()
    shutil.copy(recording, part.folder / "talk.mp3")
    return part


def item(guid: str | None, title: str, url: str, date: str | None = None) -> str:
    told = f'<guid isPermaLink="false">{escape(guid)}</guid>' if guid else ""
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    enclosure = f'<enclosure url={quoteattr(url)} type="audio/mpeg" length="1"/>'
    return f"<item>{told}<title>{escape(title)}</title>{dated}{enclosure}</item>"


def write_feed(folder: Path, *items: str) -> None:
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>A podcast</title>{"".join(items)}</channel></rss>'
    (folder / "feed.xml").write_text(feed, encoding="utf-8")


def listed(address: str) -> list[Video]:
    """The videos that this address would ingest."""
    source = source_named(address)
    return [video_of(entry, source) for entry in list_all(source).entries]


# --- local files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "one.mp3").write_bytes(b"the same")
    (tmp_path / "two.wav").write_bytes(b"the same")
    (tmp_path / "three.mp3").write_bytes(b"something else")
    one, two, three = (listed(str(tmp_path / name))[0] for name in ("one.mp3", "two.wav", "three.mp3"))
    assert one.video_id == two.video_id != three.video_id
    assert (one.title, two.title) == ("one", "two")


def test_a_file_is_kept_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"anything")
    monkeypatch.chdir(tmp_path)
    (video,) = listed("talk.mp3")
    assert video.url == video.source == str(tmp_path / "talk.mp3")
    assert video.published_at is None


def test_a_folder_lists_the_media_in_it_however_deep_by_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z.MP3", "a.flac", "b/deep.mkv", "notes.txt", "b/cover.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    videos = listed(str(tmp_path))
    assert [Path(video.url).relative_to(tmp_path).as_posix() for video in videos] == ["a.flac", "b/deep.mkv", "z.MP3"]
    assert {video.source for video in videos} == {str(tmp_path)}
    assert len({video.video_id for video in videos}) == 3


def test_any_file_named_by_the_user_is_listed_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "recording.dat").write_bytes(b"perhaps media")
    assert [video.title for video in listed(str(tmp_path / "recording.dat"))] == ["recording"]


def test_awkward_names_are_titles_and_no_part_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / AWKWARD / f"{AWKWARD}.mp3"
    path.parent.mkdir()
    path.write_bytes(b"anything")
    for source in (path, path.parent):
        (video,) = listed(str(source))
        assert (video.title, video.url) == (AWKWARD, str(path))
        assert video.video_id.replace("file-", "").isalnum()
        assert video.video_id.isascii()


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"gone\.mp3: no such file or folder"):
        listed(str(tmp_path / "gone.mp3"))


def test_a_folder_without_media_is_told_with_what_would_be_media(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to hear")
    with pytest.raises(SourceUnusable, match=r"no audio or video file in this folder.*\.flac .*\.mp3"):
        listed(str(tmp_path))


@pytest.mark.parametrize("source", ["ftp://example.org/a.mp3", "file:///etc/hostname", "s3://bucket/a.mp3"])
def test_only_http_and_https_are_fetched(source: str) -> None:
    with pytest.raises(SourceUnusable, match="only http and https"):
        listed(source)


def test_a_path_is_no_url() -> None:
    assert is_url("https://x/a.mp3")
    assert not is_url("C:/a.mp3")
    assert not is_url("/home/me/what:is this.mp3")


def test_a_local_file_is_fetched_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / f"{AWKWARD}.mp3"
    path.write_bytes(b"anything")
    (video,) = listed(str(path))
    assert fetch(video, tmp_path / "downloads", source_named(str(path))) == Fetched(path, "file")


def test_a_local_file_that_is_gone_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"anything")
    (video,) = listed(str(path))
    path.unlink()
    with pytest.raises(Removed, match=r"talk\.mp3 is no longer there"):
        fetch(video, tmp_path, source_named(str(path)))


# --- listing over HTTP ---------------------------------------------------------------------------------------------------


def test_a_feed_lists_its_entries_in_order_with_title_and_date(site: Site) -> None:
    write_feed(
        site.folder,
        item("ep-2", "Zwei & mehr 🎙", f"{site.url}/talk.mp3", "Mon, 12 Jan 2026 09:00:00 +0100"),
        item("ep-1", "One", f"{site.url}/talk.mp3?one"),
    )
    second, first = listed(f"{site.url}/feed.xml")
    assert (second.title, first.title) == ("Zwei & mehr 🎙", "One")
    assert second.published_at == datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert first.published_at is None
    assert second.url == f"{site.url}/talk.mp3"
    assert (second.source, second.channel) == (f"{site.url}/feed.xml", "A podcast")


def test_the_keys_of_a_feed_stay_when_its_server_moves_to_another_port(site: Site) -> None:
    write_feed(site.folder, item("ep-1", "One", f"{site.url}/talk.mp3"), item("ep-2", "Two", f"{site.url}/talk.mp3"))
    before = [video.video_id for video in listed(f"{site.url}/feed.xml")]
    with serving(site.folder.parent) as port:
        moved = f"{port}/{site.folder.name}"
        write_feed(site.folder, item("ep-1", "One", f"{moved}/other.mp3"), item("ep-2", "Two", f"{moved}/talk.mp3"))
        after = [video.video_id for video in listed(f"{moved}/feed.xml")]
    assert urlsplit(moved).port != urlsplit(site.url).port
    assert before == after
    assert len(set(before)) == 2


def test_entries_without_a_guid_are_told_apart_by_their_address(site: Site) -> None:
    write_feed(site.folder, item(None, "One", f"{site.url}/a.mp3"), item(None, "Two", f"{site.url}/b.mp3"))
    one, two = listed(f"{site.url}/feed.xml")
    assert one.video_id != two.video_id
    assert one.video_id.startswith("generic-a-")


def test_guids_that_look_alike_as_keys_stay_apart(site: Site) -> None:
    guids = ("https://x/?p=1", "https://x/p/1", "日本", "本日")
    write_feed(site.folder, *(item(guid, "Any", f"{site.url}/talk.mp3") for guid in guids))
    keys = [video.video_id for video in listed(f"{site.url}/feed.xml")]
    assert len(set(keys)) == len(guids)
    assert all(key.isascii() and "/" not in key and not key.endswith("-") for key in keys)


def test_a_link_to_a_recording_is_one_video_with_a_key_that_stays(site: Site) -> None:
    (first,), (again,) = listed(f"{site.url}/talk.mp3"), listed(f"{site.url}/talk.mp3")
    assert first == again
    assert first.video_id.startswith("generic-talk-")
    assert (first.title, first.url) == ("talk", f"{site.url}/talk.mp3")


def test_a_feed_that_never_ends_is_told(site: Site) -> None:
    (site.folder / "feed.xml").write_text("<?xml version='1.0'?><rss><channel><title>Broken & never closed")
    with pytest.raises(SourceUnusable, match=r"feed\.xml: its feed is cut short"):
        listed(f"{site.url}/feed.xml")


def test_a_feed_without_entries_is_told(site: Site) -> None:
    write_feed(site.folder)
    with pytest.raises(SourceUnusable, match=r"feed\.xml: there is nothing"):
        listed(f"{site.url}/feed.xml")


def test_a_listing_that_is_not_found_is_told_with_its_status(site: Site) -> None:
    with pytest.raises(SourceUnusable, match=r"gone\.xml: .*404"):
        listed(f"{site.url}/gone.xml")


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        pass
    with pytest.raises(SourceUnusable, match="refused"):
        listed(f"{url}/feed.xml")


# --- fetching over HTTP --------------------------------------------------------------------------------------------------


def test_what_a_feed_lists_can_be_fetched_under_an_awkward_name(site: Site, tmp_path: Path, recording: Path) -> None:
    shutil.copy(recording, site.folder / f"{AWKWARD}.mp3")
    write_feed(site.folder, item("ep-1", "One", f"{site.url}/{quote(AWKWARD)}.mp3"))
    (video,) = listed(f"{site.url}/feed.xml")
    fetched = fetch(video, tmp_path, source_named(video.source))
    assert fetched.path.read_bytes() == recording.read_bytes()
