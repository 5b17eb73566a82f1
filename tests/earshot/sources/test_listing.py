"""Listings over real HTTP with the real yt-dlp: feeds, pages with media, bare links, folders and files; YouTube is recorded."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from earshot.common.errors import AddressRefused, Blocked, NotAFeed, Removed, Retryable, SourceBlocked, SourceUnusable
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources.kinds.youtube import watch_url
from earshot.sources.listing import fetch_details, is_url, list_all, poll
from earshot.sources.net.ytdlp_errors import NETWORK, OF_A_SOURCE
from earshot.sources.selection import WANTED, judge_entry
from earshot.storage.catalog.entries import Entry, Listing, Live, Validators
from tests.earshot.sources.kinds.youtube import CHANNEL, CHANNEL_ID, YouTube, play_youtube, upload, uploaded_at
from tests.support.feeds import HTML, player_page, video_page
from tests.support.http_server import Answer, Site, moved, too_many
from tests.support.videos.recordings import write_noise

NOTHING = Validators()
UPLOADED = datetime(2026, 1, 12, 8, tzinfo=UTC)
DIGEST = "fa0487f2dc91544a"  # of "the same"
LAST_CHANGE = "Tue, 07 Apr 2026 10:00:00 GMT"
MEDIA_BYTES = 40_000_000  # more than the buffers of two sockets hold

FEED = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>A podcast</title>
<item><guid isPermaLink="false">ep-2</guid><title>Zwei &amp; mehr</title><pubDate>Mon, 12 Jan 2026 09:00:00 +0100</pubDate>
<enclosure url="https://media.example/two.mp3" type="audio/mpeg" length="1"/></item>
<item><guid>https://podcast.example/?p=1</guid><title>One</title>
<enclosure url="https://media.example/one.mp3" type="audio/mpeg" length="1"/></item>
<item><title>Without a guid</title><enclosure url="https://media.example/zero.mp3" type="audio/mpeg" length="1"/></item>
</channel></rss>"""
# The keys that libraries have for this feed on the host 127.0.0.1: other keys would have all of it transcribed again.
FEED_KEYS = ["generic-ep-2-9f6d8d70", "generic-https-podcast-example-p-1-5981ed01", "generic-zero-9d4241b6"]


@pytest.fixture(params=[list_all, lambda source: poll(source, NOTHING, {})], ids=["list_all", "poll"])
def listed(request: pytest.FixtureRequest) -> Callable[[Source], Listing]:
    """A full listing and a first poll, which are the same for all but channels and long lists."""
    return request.param


def as_feed(source: Source) -> Source:
    return replace(source, kind=Kind.FEED)


# --- feeds ---------------------------------------------------------------------------------------------------------------


def test_network_error_of_playlist_mentions_no_video() -> None:
    address = "https://www.youtube.com/playlist?list=PLAAAAAAAAAAAAAAAA"
    with pytest.raises(SourceUnusable) as caught:
        list_all(Source(Kind.PLAYLIST, address, "a playlist", proxy="http://127.0.0.1:9"))  # where nothing listens
    assert caught.value.remedy == OF_A_SOURCE[NETWORK]
    assert not re.search("video|retry", str(caught.value))


def test_feed_is_listed_with_or_without_its_kind(site: Site, listed: Callable[[Source], Listing]) -> None:
    source = source_named(site.put("/feed.xml", Answer(FEED, etag='"7"')))
    for named in (source, as_feed(source)):
        listing = listed(named)
        assert [entry.title for entry in listing.entries] == ["Zwei & mehr", "One", "Without a guid"]
        assert [entry.published_at for entry in listing.entries] == [UPLOADED, None, None]
        assert {entry.channel for entry in listing.entries} == {"A podcast"}
        assert (listing.complete, listing.total, listing.validators.etag) == (True, None, '"7"')
    assert len(site.asked) == 2


def test_feed_keys_are_stable(site: Site) -> None:
    listing = list_all(source_named(site.put("/feed.xml", Answer(FEED))))
    assert [entry.video_id for entry in listing.entries] == FEED_KEYS


def test_poll_of_unchanged_feed_returns_none(site: Site) -> None:
    source = source_named(site.put("/feed.xml", Answer(FEED, etag='"7"')))
    first = poll(source, NOTHING, {})
    assert first is not None
    assert poll(source, first.validators, {}) is None
    assert poll(source, Validators(etag='"6"'), {}) is not None


def test_empty_feed_is_an_error_when_listed_but_not_when_polled(site: Site) -> None:
    empty = source_named(site.put("/feed.xml", Answer(b"<rss version='2.0'><channel><title>New</title></channel></rss>")))
    with pytest.raises(SourceUnusable, match=r"feed\.xml: .*nothing"):
        list_all(empty)
    assert poll(empty, NOTHING, {}) == Listing((), complete=True)


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (Answer(video_page(contentUrl="https://media.example/talk.mp4"), headers=HTML), "a web page"),
        (Answer(b"\0\0\0\x18ftypmp42" + bytes(1000), headers={"Content-Type": "video/mp4"}), "binary data"),
        (Answer(b'{"episodes": []}'), "JSON"),
        (Answer(b""), "nothing"),
    ],
    ids=["page", "film", "json", "nothing"],
)
def test_feed_address_with_other_content_is_an_error(
    site: Site, listed: Callable[[Source], Listing], answer: Answer, content: str
) -> None:
    source = as_feed(source_named(site.put("/feed.xml", answer)))
    with pytest.raises(NotAFeed, match=content):
        listed(source)
    assert len(site.asked) == 1


# --- pages and links -------------------------------------------------------------------------------------------------------


def test_page_with_json_ld_is_one_video(site: Site, listed: Callable[[Source], Listing]) -> None:
    page = video_page(contentUrl=f"{site.url}/talk.mp4", duration="PT1M5S", uploadDate="2026-01-12T09:00:00+01:00")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    listing = listed(source)
    [entry] = listing.entries
    assert (entry.title, entry.url, entry.duration_s, entry.published_at) == ("The talk", source.address, 65, UPLOADED)
    assert entry.video_id.startswith("generic-talk-")
    assert (listing.complete, listing.total) == (True, 1)
    assert site.asked_for("/talk.mp4") == []


def test_page_with_several_videos_lists_each(site: Site) -> None:
    page = player_page(f"{site.url}/a.mp4", f"{site.url}/b.mp4", f"{site.url}/c.mp4")
    listing = list_all(source_named(site.put("/films.html", Answer(page, headers=HTML))))
    assert [entry.title for entry in listing.entries] == ["Films (1)", "Films (2)", "Films (3)"]
    assert len({entry.video_id for entry in listing.entries}) == 3
    assert (listing.complete, listing.total) == (True, 3)


def test_poll_of_long_page_reads_its_head_and_is_incomplete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.sources.listing.RECENT", "1:2")
    page = player_page(*[f"{site.url}/{name}.mp4" for name in "abc"])
    source = source_named(site.put("/films.html", Answer(page, headers=HTML)))
    head = poll(source, NOTHING, {})
    assert head is not None
    assert [entry.title for entry in head.entries] == ["Films (1)", "Films (2)"]
    assert (head.complete, head.total) == (False, 3)
    site.put("/films.html", Answer(player_page(f"{site.url}/a.mp4", f"{site.url}/b.mp4"), headers=HTML))
    whole = poll(source, NOTHING, {})
    assert whole is not None
    assert (len(whole.entries), whole.complete, whole.total) == (2, True, 2)


def test_page_of_too_many_videos_is_refused(
    site: Site, listed: Callable[[Source], Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earshot.sources.net.bounded_bodies.MOST_ON_A_PAGE", 2)
    page = player_page(*[f"{site.url}/{name}.mp4" for name in "abc"])
    with pytest.raises(SourceUnusable, match=r"films\.html: A page has 3 videos, and 2 are the most"):
        listed(source_named(site.put("/films.html", Answer(page, headers=HTML))))


def test_pages_of_one_name_have_different_keys(site: Site) -> None:
    page = Answer(player_page(f"{site.url}/a.mp4"), headers=HTML)
    keys = {list_all(source_named(site.put(path, page))).entries[0].video_id for path in ("/one/index.html", "/two/index.html")}
    assert len(keys) == 2


@pytest.mark.parametrize("content_type", ["video/mp4", "application/octet-stream"])
def test_link_to_media_is_one_video_found_without_download(
    site: Site, listed: Callable[[Source], Listing], content_type: str
) -> None:
    film = b"\0\0\0\x18ftypmp42" + bytes(MEDIA_BYTES)
    body = CountedBytes(film)
    source = source_named(site.put("/talk.mp4", Answer(body, headers={"Content-Type": content_type})))
    listing = listed(source)
    [entry] = listing.entries
    assert (entry.title, entry.url, entry.published_at, entry.duration_s) == ("talk", source.address, None, None)
    key = entry.video_id
    assert key.startswith("generic-talk-")
    assert (listing.complete, listing.total) == (True, 1)
    assert 0 < body.sent < MEDIA_BYTES / 2 * len(site.asked)
    assert [entry.video_id for entry in listed(source).entries] == [key]


class CountedBytes(bytes):
    """A body that counts the bytes sent of it."""

    sent = 0

    def __getitem__(self, part: slice) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        if part == slice(None, None):
            return self  # all of it, to be sent in pieces
        piece = super().__getitem__(part)
        self.sent += len(piece)
        return piece


def test_page_without_media_is_an_error(site: Site, listed: Callable[[Source], Listing]) -> None:
    source = source_named(site.put("/about.html", Answer(b"<!doctype html><html><p>About us</p></html>", headers=HTML)))
    with pytest.raises(SourceUnusable, match=r"about\.html: .*no video"):
        listed(source)


# --- errors ----------------------------------------------------------------------------------------------------------------


def test_missing_page_error_has_the_status(site: Site, listed: Callable[[Source], Listing]) -> None:
    with pytest.raises(SourceUnusable, match=r"gone\.xml: .*404") as caught:
        listed(source_named(f"{site.url}/gone.xml"))
    assert not isinstance(caught.value, SourceBlocked | NotAFeed)
    assert len(site.asked) == 1


def test_rate_limit_is_blocked_with_its_pause(site: Site, listed: Callable[[Source], Listing]) -> None:
    with pytest.raises(SourceBlocked, match="429") as caught:
        listed(source_named(site.put("/feed.xml", too_many("120"))))
    assert caught.value.pause_s == 120.0
    assert len(site.asked) == 1


def test_site_that_blocks_between_feed_and_page_raises_blocked(site: Site, listed: Callable[[Source], Listing]) -> None:
    page = Answer(video_page(contentUrl="https://media.example/talk.mp4"), headers=HTML)
    with pytest.raises(SourceBlocked, match="429") as caught:
        listed(source_named(site.put("/talk.html", page, too_many("90"))))
    assert caught.value.pause_s == 90.0


@pytest.mark.parametrize("kind", [Kind.URL, Kind.FEED])
def test_redirect_to_this_machine_is_refused_unless_allowed(
    site: Site, listed: Callable[[Source], Listing], kind: Kind
) -> None:
    elsewhere = site.url.replace("127.0.0.1", "127.0.0.2")
    source = replace(source_named(site.put("/feed.xml", moved(f"{elsewhere}/real.xml"))), kind=kind)
    with pytest.raises(SourceUnusable, match=r"127\.0\.0\.2.*allow_private"):
        listed(source)
    with pytest.raises(SourceUnusable, match="refused"):  # by the machine: nothing listens there
        listed(replace(source, allow_private=True))


def test_redirect_on_named_host_is_followed_with_same_keys(site: Site, listed: Callable[[Source], Listing]) -> None:
    site.put("/real.xml", Answer(FEED))
    listing = listed(source_named(site.put("/feed.xml", moved(f"{site.url}/real.xml"))))
    assert [entry.video_id for entry in listing.entries] == FEED_KEYS


# --- YouTube --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def youtube(site: Site, monkeypatch: pytest.MonkeyPatch) -> YouTube:
    return play_youtube(site, monkeypatch)


UPLOADS = f"https://www.youtube.com/playlist?list=UU{CHANNEL_ID[2:]}"


def test_channel_uploads_have_length_and_kind(youtube: YouTube) -> None:
    listing = list_all(CHANNEL)
    assert youtube.extracted == [UPLOADS]
    assert (listing.complete, listing.total) == (True, 6)
    assert [(entry.video_id, entry.duration_s, entry.live, entry.short, entry.members_only) for entry in listing.entries] == [
        ("recordedVid", 1931, None, None, None),
        ("recordShort", 41, None, True, None),
        ("recUpcoming", None, Live.UPCOMING, None, None),
        ("recordedAir", None, Live.ON_AIR, None, None),
        ("streamedVid", 5402, Live.WAS_LIVE, None, None),
        ("memberVideo", 1207, None, None, True),
    ]
    assert [entry.url for entry in listing.entries] == [watch_url(entry.video_id) for entry in listing.entries]
    assert {(entry.channel, entry.published_at) for entry in listing.entries} == {("Harbour Talk", None)}
    assert [entry.starts_at for entry in listing.entries if entry.starts_at] == [datetime(2027, 1, 1, 10, tzinfo=UTC)]


def test_channel_id_of_handle_is_asked_once(youtube: YouTube) -> None:
    source = replace(CHANNEL, address="https://www.youtube.com/@HarbourTalk")
    assert list_all(source) == list_all(source)
    assert youtube.extracted == [source.address, UPLOADS, UPLOADS]


def test_poll_of_channel_reads_its_feed_alone(youtube: YouTube) -> None:
    youtube.publish(upload(3), upload(2), upload(1))
    listing = poll(CHANNEL, NOTHING, {})
    assert listing is not None
    assert not listing.complete
    assert [(entry.video_id, entry.published_at) for entry in listing.entries] == [
        (video_id, uploaded_at(video_id)) for video_id in ("video-00003", "video-00002")
    ]
    assert youtube.extracted == []


def test_poll_of_playlist_reads_its_head(youtube: YouTube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.sources.listing.RECENT", "1:2")
    listing = poll(Source(Kind.PLAYLIST, "https://www.youtube.com/playlist?list=PLAAAAAAAAAAAAAAAA", "a playlist"), NOTHING, {})
    assert listing is not None
    assert [entry.video_id for entry in listing.entries] == ["recordedVid", "recordShort"]
    assert (listing.complete, listing.total) == (False, 6)
    assert len(youtube.extracted) == 1


@pytest.mark.usefixtures("youtube")
def test_youtube_page_adds_date_and_kind() -> None:
    entry = list_all(CHANNEL).entries[0]
    facts = {"published_at": UPLOADED, "live": Live.NO, "short": False, "members_only": False}
    assert fetch_details(entry, CHANNEL) == replace(entry, **facts)


def test_announced_premiere_is_upcoming(youtube: YouTube) -> None:
    youtube.errors["recordedVid"] = "Premieres in 3 hours"
    detailed = fetch_details(list_all(CHANNEL).entries[0], CHANNEL)
    assert detailed.live is Live.UPCOMING
    assert detailed.starts_at is not None
    assert timedelta(hours=2) < detailed.starts_at - datetime.now(UTC) <= timedelta(hours=3)


# --- one video's own page -----------------------------------------------------------------------------------------------------


def entry_at(url: str, **facts: Any) -> Entry:
    return Entry("generic-key", url, "As listed", **facts)


def test_page_adds_missing_date_and_length(site: Site) -> None:
    page = video_page(contentUrl=f"{site.url}/talk.mp4", duration="PT1H2M5S", uploadDate="2026-01-12")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    detailed = fetch_details(entry_at(source.address), source)
    assert detailed.published_at == datetime(2026, 1, 12, tzinfo=UTC)
    assert detailed.duration_s == 3725
    assert site.asked_for("/talk.mp4") == []


def test_page_does_not_override_the_listing(site: Site) -> None:
    page = video_page(contentUrl=f"{site.url}/talk.mp4", duration="PT9M", uploadDate="2020-01-01")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    entry = entry_at(source.address, channel="A channel", published_at=UPLOADED, duration_s=65.0, live=Live.NO)
    assert fetch_details(entry, source) == entry


def test_video_whose_page_has_no_date_is_left_out_by_since(site: Site) -> None:
    page = video_page(contentUrl=f"{site.url}/talk.mp4", duration="PT9M")
    source = replace(source_named(site.put("/talk.html", Answer(page, headers=HTML))), since=date(2026, 1, 1))
    detailed = fetch_details(entry_at(source.address), source)
    assert (detailed.published_at, detailed.duration_s) == (None, 540)
    assert judge_entry(detailed, source, fetched=True).reason == "unknown upload date"
    assert judge_entry(detailed, replace(source, since=None), fetched=True) == WANTED


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"ID3" + bytes(1000), "audio/mpeg"),
        (b"ID3" + bytes(1000), "application/octet-stream"),
        (video_page(contentUrl="https://media.example/talk.mp4"), "text/html"),
        (player_page("https://media.example/talk.mp4"), "text/html"),
    ],
    ids=["media", "unnamed media", "page with JSON-LD", "page with a video"],
)
def test_last_modified_is_no_upload_date(site: Site, body: bytes, content_type: str) -> None:
    answer = Answer(body, headers={"Content-Type": content_type}, last_modified=LAST_CHANGE)
    source = source_named(site.put("/talk", answer))
    assert fetch_details(entry_at(source.address), source).published_at is None
    assert [entry.published_at for entry in list_all(source).entries] == [None]


def test_missing_media_is_an_error_of_the_video(site: Site) -> None:
    source = source_named(f"{site.url}/gone.html")
    with pytest.raises(Removed, match="404"):
        fetch_details(entry_at(source.address), source)


def test_blocking_page_raises_blocked_and_failing_page_retryable(site: Site) -> None:
    busy = source_named(site.put("/busy.html", too_many("60")))
    with pytest.raises(Blocked) as caught:
        fetch_details(entry_at(busy.address), busy)
    assert caught.value.pause_s == 60.0
    failing = source_named(site.put("/failing.html", Answer(status=500)))
    with pytest.raises(Retryable, match="500"):
        fetch_details(entry_at(failing.address), failing)


def test_entry_at_another_address_of_this_machine_is_refused(site: Site) -> None:
    source = source_named(site.put("/feed.xml", Answer(FEED)))
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        fetch_details(entry_at(site.url.replace("127.0.0.1", "127.0.0.2") + "/talk.html"), source)
    assert site.asked == []


# --- files ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise as MP3."""
    path = tmp_path_factory.mktemp("recording") / "noise.mp3"
    write_noise(path, 2.0)
    return path


def test_folder_lists_media_by_path(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "album.mp3").mkdir()
    for name in ("z.MP3", "deep/a.mp3"):
        (tmp_path / name).write_bytes(recording.read_bytes() + name.encode())
    (tmp_path / "notes.txt").write_text("no recording")
    (tmp_path / "broken.mp3").symlink_to(tmp_path / "nowhere.mp3")
    listing = list_all(source_named(str(tmp_path)))
    assert [entry.url for entry in listing.entries] == [str(tmp_path / "deep" / "a.mp3"), str(tmp_path / "z.MP3")]
    assert listing.complete
    assert len({entry.video_id for entry in listing.entries}) == 2
    assert all(entry.fingerprint and entry.published_at is None for entry in listing.entries)


def test_file_key_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "one.mp3").write_bytes(b"the same")
    (tmp_path / "two.dat").write_bytes(b"the same")
    entries = [list_all(source_named(str(tmp_path / name))).entries[0] for name in ("one.mp3", "two.dat")]
    assert [(entry.video_id, entry.title) for entry in entries] == [(f"file-{DIGEST}", "one"), (f"file-{DIGEST}", "two")]


def test_named_file_is_listed_despite_a_fast_disk_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"on a server whose clock is ahead")
    monkeypatch.setattr("earshot.sources.kinds.folders.time.time", lambda: (tmp_path / "talk.mp3").stat().st_ctime - 5.0)
    assert [entry.title for entry in list_all(source_named(str(tmp_path))).entries] == ["talk"]


def test_poll_of_folder_skips_files_not_yet_stable(tmp_path: Path) -> None:
    source = source_named(str(tmp_path))
    assert poll(source, NOTHING, {}) == Listing((), complete=True)
    (tmp_path / "talk.mp3").write_bytes(b"being written")
    assert poll(source, NOTHING, {}) == Listing((), complete=True)
    assert len(list_all(source).entries) == 1


def test_folder_without_media_and_missing_path_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"no audio or video.*\.flac .*\.mp3"):
        list_all(source_named(str(tmp_path)))
    for listed in (list_all, lambda source: poll(source, NOTHING, {})):
        with pytest.raises(SourceUnusable, match=r"gone\.mp3: no such file"):
            listed(source_named(str(tmp_path / "gone.mp3")))


def test_file_has_its_length_and_no_date(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(recording.read_bytes())
    os.utime(path, (0, UPLOADED.timestamp()))
    source = source_named(str(path))
    [entry] = list_all(source).entries
    detailed = fetch_details(entry, source)
    assert detailed.duration_s == pytest.approx(2.0, abs=0.1)
    assert detailed == replace(entry, duration_s=detailed.duration_s)
    assert detailed.published_at is None


def test_file_of_unknown_length_has_none(tmp_path: Path) -> None:
    (tmp_path / "notes.mp3").write_text("no recording at all")
    source = source_named(str(tmp_path))
    assert [fetch_details(entry, source).duration_s for entry in list_all(source).entries] == [None]
    gone = Entry("file-gone", str(tmp_path / "gone.mp3"), "gone")
    assert fetch_details(gone, source).duration_s is None


def test_path_is_no_url() -> None:
    assert is_url("https://x/a.mp3")
    assert not is_url("C:/a.mp3")
    assert not is_url("/home/me/what:is this.mp3")


def test_name_that_is_not_unicode_is_an_error_of_its_source(tmp_path: Path) -> None:
    """No database stores it."""
    path = tmp_path / os.fsdecode(b"M\xfcller.mp3")
    path.write_bytes(b"sound")
    with pytest.raises(SourceUnusable, match=r"M\ufffdller\.mp3: its name is not UTF-8, and cannot be stored\. Rename it\."):
        source_named(str(path))
    with pytest.raises(SourceUnusable, match=r"M\ufffdller\.mp3: its name is not UTF-8"):
        list_all(source_named(str(tmp_path)))
