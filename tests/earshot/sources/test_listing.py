"""What a source has, over real HTTP and with the real yt-dlp: feeds, pages with media, bare links, folders and files."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.corpora.episodes import write_mp3
from earshot.common.errors import AddressRefused, Blocked, NotAFeed, Removed, Retryable, SourceBlocked, SourceUnusable
from earshot.config.sources_file import Kind, Source, source_named
from earshot.sources import listing
from earshot.sources.listing import fetch_details, is_url, list_all, poll
from earshot.sources.net.ytdlp_errors import NETWORK, OF_A_SOURCE
from earshot.sources.selection import WANTED, judge_entry
from earshot.storage.catalog.entries import Entry, Listing, Live, Validators
from tests.support.http_server import Answer, Site, moved, too_many

NOTHING = Validators()
HTML = {"Content-Type": "text/html; charset=utf-8"}
UPLOADED = datetime(2026, 1, 12, 8, tzinfo=UTC)
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
# As yt-dlp's own reading of this feed gave them when libraries were first filled, on the host 127.0.0.1: a key that changed
# would have everything fetched and transcribed anew.
FEED_KEYS = ["generic-ep-2-9f6d8d70", "generic-https-podcast-example-p-1-5981ed01", "generic-zero-9d4241b6"]


@pytest.fixture(params=[list_all, lambda source: poll(source, NOTHING, {})], ids=["list_all", "look"])
def listed(request: pytest.FixtureRequest) -> Callable[[Source], Listing]:
    """Listing everything, and looking without having looked before, which for all but channels and long lists is the same."""
    return request.param


def talk_page(title: str = "A page", **facts: str) -> bytes:
    """A page with one film, told in JSON-LD as schema.org's VideoObject has it."""
    told = {"@context": "https://schema.org", "@type": "VideoObject", "name": "The talk", **facts}
    json_ld = ", ".join(f'"{name}": "{value}"' for name, value in told.items())
    return (
        f"<!doctype html><html><head><title>{title}</title>"
        f'<script type="application/ld+json">{{{json_ld}}}</script></head><body></body></html>'
    ).encode()


def film_page(*films: str) -> bytes:
    """A page that plays these films."""
    tags = "".join(f'<video src="{film}"></video>' for film in films)
    return f"<!doctype html><html><head><title>Films</title></head><body>{tags}</body></html>".encode()


def as_feed(source: Source) -> Source:
    return replace(source, kind=Kind.FEED)


# --- feeds ---------------------------------------------------------------------------------------------------------------


def test_playlist_that_the_network_fails_is_not_called_a_video() -> None:
    address = "https://www.youtube.com/playlist?list=PLAAAAAAAAAAAAAAAA"
    with pytest.raises(SourceUnusable) as told:
        list_all(Source(Kind.PLAYLIST, address, "a playlist", proxy="http://127.0.0.1:9"))  # where nothing listens
    assert told.value.remedy == OF_A_SOURCE[NETWORK]
    assert not re.search("video|retry", str(told.value))


def test_a_feed_gives_its_entries_whole_whether_or_not_it_is_called_one(
    site: Site, listed: Callable[[Source], Listing]
) -> None:
    source = source_named(site.put("/feed.xml", Answer(FEED, etag='"7"')))
    for called in (source, as_feed(source)):
        found = listed(called)
        assert [entry.title for entry in found.entries] == ["Zwei & mehr", "One", "Without a guid"]
        assert [entry.published_at for entry in found.entries] == [UPLOADED, None, None]
        assert {entry.channel for entry in found.entries} == {"A podcast"}
        assert (found.complete, found.total, found.validators.etag) == (True, None, '"7"')
    assert len(site.asked) == 2


def test_the_keys_of_a_feed_are_those_that_libraries_were_filled_with(site: Site) -> None:
    found = list_all(source_named(site.put("/feed.xml", Answer(FEED))))
    assert [entry.video_id for entry in found.entries] == FEED_KEYS


def test_a_feed_that_has_not_changed_is_nothing_new(site: Site) -> None:
    source = source_named(site.put("/feed.xml", Answer(FEED, etag='"7"')))
    first = poll(source, NOTHING, {})
    assert first is not None
    assert poll(source, first.validators, {}) is None
    assert poll(source, Validators(etag='"6"'), {}) is not None


def test_empty_feed_is_an_error_when_listed_but_not_when_polled(site: Site) -> None:
    empty = source_named(site.put("/feed.xml", Answer(b"<rss version='2.0'><channel><title>New</title></channel></rss>")))
    with pytest.raises(SourceUnusable, match=r"feed\.xml: there is nothing"):
        list_all(empty)
    watched = poll(empty, NOTHING, {})
    assert watched is not None
    assert (watched.entries, watched.complete) == ((), True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(talk_page(contentUrl="https://media.example/talk.mp4"), headers=HTML), "a web page, not a feed"),
        (Answer(b"\0\0\0\x18ftypmp42" + bytes(1000), headers={"Content-Type": "video/mp4"}), "binary data, not a feed"),
        (Answer(b'{"episodes": []}'), "JSON, not a feed"),
        (Answer(b""), "nothing, not a feed"),
    ],
    ids=["page", "film", "json", "nothing"],
)
def test_feed_address_with_other_content_is_an_error(
    site: Site, listed: Callable[[Source], Listing], answer: Answer, told: str
) -> None:
    source = as_feed(source_named(site.put("/feed.xml", answer)))
    with pytest.raises(NotAFeed, match=told):
        listed(source)
    assert len(site.asked) == 1


# --- pages and links -------------------------------------------------------------------------------------------------------


def test_a_page_with_a_film_is_one_video_with_what_the_page_tells(site: Site, listed: Callable[[Source], Listing]) -> None:
    page = talk_page(contentUrl=f"{site.url}/talk.mp4", duration="PT1M5S", uploadDate="2026-01-12T09:00:00+01:00")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    found = listed(source)
    [entry] = found.entries
    assert (entry.title, entry.url, entry.duration_s, entry.published_at) == ("The talk", source.address, 65, UPLOADED)
    assert entry.video_id.startswith("generic-talk-")
    assert (found.complete, found.total) == (True, 1)
    assert site.asked_for("/talk.mp4") == []


def test_a_page_that_plays_several_films_lists_each(site: Site) -> None:
    page = film_page(f"{site.url}/a.mp4", f"{site.url}/b.mp4", f"{site.url}/c.mp4")
    found = list_all(source_named(site.put("/films.html", Answer(page, headers=HTML))))
    assert [entry.title for entry in found.entries] == ["Films (1)", "Films (2)", "Films (3)"]
    assert len({entry.video_id for entry in found.entries}) == 3
    assert (found.complete, found.total) == (True, 3)


def test_poll_of_long_page_reads_its_head_and_is_incomplete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "RECENT", "1:2")
    page = film_page(*[f"{site.url}/{name}.mp4" for name in "abc"])
    source = source_named(site.put("/films.html", Answer(page, headers=HTML)))
    head = poll(source, NOTHING, {})
    assert head is not None
    assert [entry.title for entry in head.entries] == ["Films (1)", "Films (2)"]
    assert (head.complete, head.total) == (False, 3)
    site.put("/films.html", Answer(film_page(f"{site.url}/a.mp4", f"{site.url}/b.mp4"), headers=HTML))
    whole = poll(source, NOTHING, {})
    assert whole is not None
    assert (len(whole.entries), whole.complete, whole.total) == (2, True, 2)


def test_pages_of_the_same_name_are_different_videos(site: Site) -> None:
    page = Answer(film_page(f"{site.url}/a.mp4"), headers=HTML)
    keys = {list_all(source_named(site.put(path, page))).entries[0].video_id for path in ("/one/index.html", "/two/index.html")}
    assert len(keys) == 2


@pytest.mark.parametrize("content_type", ["video/mp4", "application/octet-stream"])
def test_link_to_media_is_one_video_found_without_download(
    site: Site, listed: Callable[[Source], Listing], content_type: str
) -> None:
    film = b"\0\0\0\x18ftypmp42" + bytes(MEDIA_BYTES)
    sent = Counted(film)
    source = source_named(site.put("/talk.mp4", Answer(sent, headers={"Content-Type": content_type})))
    found = listed(source)
    [entry] = found.entries
    assert (entry.title, entry.url, entry.published_at, entry.duration_s) == ("talk", source.address, None, None)
    assert entry.video_id.startswith("generic-talk-")
    assert (found.complete, found.total) == (True, 1)
    assert 0 < sent.taken < MEDIA_BYTES / 2 * len(site.asked)
    assert [again.video_id for again in listed(source).entries] == [entry.video_id]


class Counted(bytes):
    """A body that counts what of it was taken to be sent."""

    taken = 0

    def __getitem__(self, part: slice) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        if part == slice(None, None):
            return self  # all of it, to be sent in pieces
        piece = super().__getitem__(part)
        self.taken += len(piece)
        return piece


def test_a_page_without_media_says_so_with_its_address(site: Site, listed: Callable[[Source], Listing]) -> None:
    source = source_named(site.put("/about.html", Answer(b"<!doctype html><html><p>About us</p></html>", headers=HTML)))
    with pytest.raises(SourceUnusable, match=r"about\.html: there is no video, playlist or feed at this address"):
        listed(source)


# --- refusals --------------------------------------------------------------------------------------------------------------


def test_missing_page_error_has_the_status(site: Site, listed: Callable[[Source], Listing]) -> None:
    with pytest.raises(SourceUnusable, match=r"gone\.xml: .*404.* Nothing is at this address") as caught:
        listed(source_named(f"{site.url}/gone.xml"))
    assert not isinstance(caught.value, SourceBlocked | NotAFeed)
    assert len(site.asked) == 1


def test_a_site_that_has_had_enough_says_for_how_long(site: Site, listed: Callable[[Source], Listing]) -> None:
    with pytest.raises(SourceBlocked, match="429") as caught:
        listed(source_named(site.put("/feed.xml", too_many("120"))))
    assert caught.value.pause_s == 120.0
    assert len(site.asked) == 1


def test_site_that_blocks_between_feed_and_page_raises_blocked(site: Site, listed: Callable[[Source], Listing]) -> None:
    page = Answer(talk_page(contentUrl="https://media.example/talk.mp4"), headers=HTML)
    with pytest.raises(SourceBlocked, match="429") as caught:
        listed(source_named(site.put("/talk.html", page, too_many("90"))))
    assert caught.value.pause_s == 90.0


@pytest.mark.parametrize("called", [Kind.URL, Kind.FEED])
def test_redirect_to_this_machine_is_refused_unless_allowed(
    site: Site, listed: Callable[[Source], Listing], called: Kind
) -> None:
    elsewhere = site.url.replace("127.0.0.1", "127.0.0.2")
    source = replace(source_named(site.put("/feed.xml", moved(f"{elsewhere}/real.xml"))), kind=called)
    with pytest.raises(SourceUnusable, match=r"127\.0\.0\.2.*allow_private"):
        listed(source)
    # Nothing listens there: allowed, it is the machine that refuses.
    with pytest.raises(SourceUnusable, match="refused"):
        listed(replace(source, allow_private=True))


def test_redirect_on_named_host_is_followed_with_same_keys(site: Site, listed: Callable[[Source], Listing]) -> None:
    site.put("/real.xml", Answer(FEED))
    found = listed(source_named(site.put("/feed.xml", moved(f"{site.url}/real.xml"))))
    assert [entry.video_id for entry in found.entries] == FEED_KEYS


# --- one video's own page -----------------------------------------------------------------------------------------------------


def entry_at(url: str, **facts: Any) -> Entry:
    return Entry("generic-key", url, "As listed", **facts)


def test_a_page_gives_the_date_and_length_that_the_listing_did_not(site: Site) -> None:
    page = talk_page(contentUrl=f"{site.url}/talk.mp4", duration="PT1H2M5S", uploadDate="2026-01-12")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    examined = fetch_details(entry_at(source.address), source)
    assert examined.published_at == datetime(2026, 1, 12, tzinfo=UTC)
    assert examined.duration_s == 3725
    assert site.asked_for("/talk.mp4") == []


def test_what_the_listing_said_stays_and_so_does_the_key(site: Site) -> None:
    page = talk_page(contentUrl=f"{site.url}/talk.mp4", duration="PT9M", uploadDate="2020-01-01")
    source = source_named(site.put("/talk.html", Answer(page, headers=HTML)))
    told = entry_at(source.address, channel="A channel", published_at=UPLOADED, duration_s=65.0, live=Live.NO)
    assert fetch_details(told, source) == told


def test_video_whose_page_has_no_date_is_left_out_by_since(site: Site) -> None:
    page = talk_page(contentUrl=f"{site.url}/talk.mp4", duration="PT9M")
    source = replace(source_named(site.put("/talk.html", Answer(page, headers=HTML))), since=date(2026, 1, 1))
    examined = fetch_details(entry_at(source.address), source)
    assert (examined.published_at, examined.duration_s) == (None, 540)
    assert judge_entry(examined, source, fetched=True).reason == "unknown upload date"
    assert judge_entry(examined, replace(source, since=None), fetched=True) == WANTED


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"ID3" + bytes(1000), "audio/mpeg"),
        (b"ID3" + bytes(1000), "application/octet-stream"),
        (talk_page(contentUrl="https://media.example/talk.mp4"), "text/html"),
        (film_page("https://media.example/talk.mp4"), "text/html"),
    ],
    ids=["media", "unnamed media", "page with JSON-LD", "page with a film"],
)
def test_the_last_change_of_a_file_on_its_server_is_no_upload_date(site: Site, body: bytes, content_type: str) -> None:
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
    write_mp3(path, np.random.default_rng(0).normal(0.0, 0.1, 32_000).astype(np.float32))
    return path


def test_a_folder_lists_the_media_in_it_by_path_and_nothing_else(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "album.mp3").mkdir()
    for name in ("z.MP3", "deep/a.mp3"):
        (tmp_path / name).write_bytes(recording.read_bytes() + name.encode())
    (tmp_path / "notes.txt").write_text("no recording")
    (tmp_path / "broken.mp3").symlink_to(tmp_path / "nowhere.mp3")
    found = list_all(source_named(str(tmp_path)))
    assert [entry.url for entry in found.entries] == [str(tmp_path / "deep" / "a.mp3"), str(tmp_path / "z.MP3")]
    assert found.complete
    assert len({entry.video_id for entry in found.entries}) == 2
    assert all(entry.fingerprint and entry.published_at is None for entry in found.entries)


def test_one_file_under_two_names_has_one_key_which_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "one.mp3").write_bytes(b"the same")
    (tmp_path / "two.dat").write_bytes(b"the same")
    one, two = (list_all(source_named(str(tmp_path / name))).entries[0] for name in ("one.mp3", "two.dat"))
    assert one.video_id == two.video_id == "file-fa0487f2dc91544a"
    assert (one.title, two.title) == ("one", "two")


def test_named_file_is_listed_at_once_whatever_its_disks_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.mp3").write_bytes(b"on a server whose clock is ahead")
    monkeypatch.setattr("earshot.sources.folders.time.time", lambda: (tmp_path / "talk.mp3").stat().st_ctime - 5.0)
    assert [entry.title for entry in list_all(source_named(str(tmp_path))).entries] == ["talk"]


def test_a_watched_folder_may_be_empty_and_leaves_what_is_new_to_settle(tmp_path: Path) -> None:
    source = source_named(str(tmp_path))
    assert poll(source, NOTHING, {}) == Listing((), complete=True)
    (tmp_path / "talk.mp3").write_bytes(b"being written")
    assert poll(source, NOTHING, {}) == Listing((), complete=True)
    assert len(list_all(source).entries) == 1


def test_folder_without_media_and_missing_path_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"no audio or video file in this folder.*\.flac .*\.mp3"):
        list_all(source_named(str(tmp_path)))
    for listed in (list_all, lambda source: poll(source, NOTHING, {})):
        with pytest.raises(SourceUnusable, match=r"gone\.mp3: no such file or folder. Check the path"):
            listed(source_named(str(tmp_path / "gone.mp3")))


def test_the_length_of_a_file_is_read_from_it_and_its_date_is_not_made_up(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(recording.read_bytes())
    os.utime(path, (0, UPLOADED.timestamp()))
    source = source_named(str(path))
    [entry] = list_all(source).entries
    examined = fetch_details(entry, source)
    assert examined.duration_s == pytest.approx(2.0, abs=0.1)
    assert examined == replace(entry, duration_s=examined.duration_s)
    assert examined.published_at is None


def test_file_of_unknown_length_has_none(tmp_path: Path) -> None:
    (tmp_path / "notes.mp3").write_text("no recording at all")
    source = source_named(str(tmp_path))
    assert [fetch_details(entry, source).duration_s for entry in list_all(source).entries] == [None]
    gone = Entry("file-gone", str(tmp_path / "gone.mp3"), "gone")
    assert fetch_details(gone, source).duration_s is None


def test_a_path_is_no_url() -> None:
    assert is_url("https://x/a.mp3")
    assert not is_url("/home/me/what:is this.mp3")
