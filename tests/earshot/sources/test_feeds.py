"""Feeds read from servers that behave badly: what is listed, under which keys, and what is refused in which words.

YouTube cannot be asked here: its feed is composed after its documented format (`youtube_feed`).
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yt_dlp.utils import unsmuggle_url

from earshot.common.errors import NotAFeed, SourceBlocked, SourceUnusable
from earshot.config.sources_file import Kind, Source
from earshot.sources import feeds
from earshot.sources.feed_body import is_feed, repaired
from earshot.sources.feeds import duration_s, published_at, read_feed
from earshot.sources.net import conditional_get
from earshot.sources.net.conditional_get import MAX_PAUSE_S, retry_after_s
from earshot.sources.net.session import session
from earshot.storage.catalog.entries import Entry, Listing, Validators, generic_key
from tests.support.http_server import Answer, Site, misbehaving, moved, too_many

NEW_YEAR = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
MEDIA = "https://media.example.org"
YOUTUBE_ID = "dQw4w9WgXcQ"


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    with misbehaving() as site:
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    server.asked.clear()
    return server


def source_at(url: str, **options: object) -> Source:
    return replace(Source(Kind.FEED, url, "the feed"), **options)  # type: ignore[arg-type]


def item(guid: str | None = "ep-1", title: str = "One", url: str = f"{MEDIA}/one.mp3", more: str = "") -> str:
    told = f'<guid isPermaLink="false">{escape(guid)}</guid>' if guid else ""
    media = f'<enclosure url={quoteattr(url)} type="audio/mpeg" length="1"/>' if url else ""
    return f"<item>{told}<title>{escape(title)}</title>{media}{more}</item>"


def rss(*items: str, more: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom">'
        f"<channel><title>A podcast</title>{more}{''.join(items)}</channel></rss>"
    ).encode()


def next_page(url: str) -> str:
    return f'<atom:link rel="next" href={quoteattr(url)}/>'


def youtube_feed(*video_ids: str, shorts: tuple[str, ...] = ()) -> bytes:
    """A feed as https://www.youtube.com/feeds/videos.xml answers it: composed by hand, nothing of it was recorded."""
    entries = "".join(
        f"<entry><id>yt:video:{video_id}</id><yt:videoId>{video_id}</yt:videoId><yt:channelId>UC0123456789012345678901</yt:channelId>"
        f"<title>Talk {video_id}</title>"
        f'<link rel="alternate" href="https://www.youtube.com/{"shorts/" if video_id in shorts else "watch?v="}{video_id}"/>'
        "<author><name>A channel</name><uri>https://www.youtube.com/channel/UC0123456789012345678901</uri></author>"
        "<published>2026-01-01T12:30:00+00:00</published><updated>2026-02-02T00:00:00+00:00</updated>"
        f"<media:group><media:title>Talk {video_id}</media:title>"
        f'<media:content url="https://www.youtube.com/v/{video_id}?version=3" type="application/x-shockwave-flash"/>'
        f'<media:thumbnail url="https://i1.ytimg.com/vi/{video_id}/hqdefault.jpg" width="480" height="360"/>'
        "<media:description>About it.</media:description></media:group></entry>"
        for video_id in video_ids
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom">'
        '<link rel="self" href="http://www.youtube.com/feeds/videos.xml?channel_id=UC0123456789012345678901"/>'
        "<id>yt:channel:0123456789012345678901</id><yt:channelId>0123456789012345678901</yt:channelId>"
        f"<title>A list of the channel</title><published>2010-01-01T00:00:00+00:00</published>{entries}</feed>"
    ).encode()


def read(site: Site, *bodies: bytes | Answer, path: str = "/feed.xml") -> Listing:
    url = site.put(path, *(body if isinstance(body, Answer) else Answer(body) for body in bodies))
    listing = read_feed(url, source_at(url))
    assert listing is not None
    return listing


def entries(site: Site, *bodies: bytes | Answer) -> tuple[Entry, ...]:
    return read(site, *bodies).entries


def refusal(site: Site, answer: bytes | Answer, path: str = "/feed.xml", deadline_s: float = 60.0) -> SourceUnusable:
    url = site.put(path, answer if isinstance(answer, Answer) else Answer(answer))
    with pytest.raises(SourceUnusable) as caught:
        read_feed(url, source_at(url), deadline_s=deadline_s)
    assert "the feed: " in caught.value.message
    assert caught.value.remedy
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


# --- what an entry is ----------------------------------------------------------------------------------------------------


def test_a_podcast_feed_lists_everything_that_it_tells(site: Site) -> None:
    told = "<pubDate>Thu, 01 Jan 2026 13:30:00 +0100</pubDate><itunes:duration>1:02:03</itunes:duration>"
    listing = read(site, rss(item(title="Zwei &amp; mehr\n   🎙", more=told), item("ep-2", url=f"{MEDIA}/two.mp3")))
    assert listing.complete
    first, second = listing.entries
    assert (first.title, first.channel, first.url) == ("Zwei & mehr 🎙", "A podcast", f"{MEDIA}/one.mp3")
    assert (first.published_at, first.duration_s) == (NEW_YEAR, 3723.0)
    assert (second.published_at, second.duration_s, second.short, second.live) == (None, None, None, None)


AWKWARD_GUIDS = (
    "ep-1", "https://x.example/?p=1&post_type=podcast", "tag:soundcloud,2010:tracks/1", "urn:uuid:0b3d-1",
    "日本", "本日", "a  b", "1 at http://x.example", "x" * 300, "a&amp;b", "http://x.example/a/../b", "<b>", "%20", "-", "_",
)  # fmt: skip


def same_keys(site: Site, body: bytes) -> list[str]:
    """The keys of this feed, which must be those that yt-dlp's own reading of it gives."""
    url = site.put("/feed.xml", Answer(body, headers={"Content-Type": "application/rss+xml"}))
    listing = read_feed(url, source_at(url))
    assert listing is not None
    keys = [entry.video_id for entry in listing.entries]
    with session(source_at(url), extract_flat=True) as downloader:
        extracted: Any = downloader.extract_info(url, download=False)
    assert keys == [key_as_ever(found, url) for found in extracted["entries"]]
    return keys


def key_as_ever(found: dict[str, Any], url: str) -> str:
    """The key that catalogues have for what yt-dlp's extractor for anything lists in a feed."""
    address, smuggled = unsmuggle_url(found["url"], default={})
    guid = smuggled.get("force_videoid")
    origin = f"{urlsplit(url).hostname} {guid}" if guid else address
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", guid or Path(urlsplit(address).path).stem).strip("-") or "unnamed"
    return f"generic-{readable[-40:].strip('-')}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"


def test_keys_are_those_that_yt_dlps_own_reading_of_the_feed_gives(site: Site) -> None:
    keys = same_keys(site, rss(*(item(guid) for guid in AWKWARD_GUIDS)))
    assert len(set(keys)) == len(AWKWARD_GUIDS)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1), min_size=1, unique=True))
def test_keys_of_any_guid_in_ascii_are_those_of_yt_dlp(server: Site, guids: list[str]) -> None:
    guids = [guid for guid in guids if ":///" not in guid]  # feedparser takes one slash away
    same_keys(server, rss(item("any"), *(item(guid) for guid in guids if guid != "any")))


def test_keys_without_a_guid_are_of_the_media_or_else_of_the_page(site: Site) -> None:
    page = f"<link>https://www.youtube.com/watch?v={YOUTUBE_ID}</link>"
    keys = same_keys(site, rss(item(None), item(None, url="", more=page), item("ep-1", url="", more=page)))
    assert [key.rpartition("-")[0] for key in keys] == ["generic-one", "generic-watch", "generic-ep-1"]


def test_the_keys_of_what_is_in_catalogues_stay() -> None:
    link = f"https://www.youtube.com/watch?v={YOUTUBE_ID}"
    assert generic_key("g1", link, "http://127.0.0.1:8000/feed.xml") == "generic-g1-fa9c4d1b"
    assert (
        generic_key(None, link, "http://127.0.0.1/") == generic_key("", link, "http://x.example/") == "generic-watch-0424974c"
    )
    assert generic_key("\n g1 ", f" {link} ", "http://127.0.0.1/") == "generic-g1-fa9c4d1b"
    assert generic_key(None, f" {link} ", "http://127.0.0.1/") == "generic-watch-0424974c"


def test_a_guid_with_space_around_it_is_the_guid_without(site: Site) -> None:
    spaced = rss(item("ep-1")).replace(b">ep-1<", b">\n  ep-1 <")
    assert entries(site, spaced)[0].video_id == entries(site, rss(item("ep-1")))[0].video_id


def test_a_guid_that_is_a_relative_link_is_no_address(site: Site) -> None:
    bare = rss("<item><guid>ep-1</guid><title>Nothing to fetch</title></item>", item("ep-2"))
    assert [entry.url for entry in entries(site, bare)] == [f"{MEDIA}/one.mp3"]


def test_an_entry_whose_media_moved_and_whose_title_changed_keeps_its_key(site: Site) -> None:
    (before,) = entries(site, rss(item("ep-1", "One", f"{MEDIA}/one.mp3")))
    (after,) = entries(site, rss(item("ep-1", "One, corrected", f"{MEDIA}/moved/1.mp3")))
    assert before.video_id == after.video_id
    assert (after.title, after.url) == ("One, corrected", f"{MEDIA}/moved/1.mp3")


def test_the_same_entry_in_two_feeds_of_one_host_has_one_key(site: Site) -> None:
    one = read(site, rss(item("ep-1")), path="/one.xml").entries
    other = read(site, rss(item("ep-0"), item("ep-1")), path="/other.xml").entries
    assert one[0].video_id == other[1].video_id != other[0].video_id


@pytest.mark.parametrize(
    ("enclosures", "expected"),
    [
        ('<enclosure url="/cover.jpg" type="image/jpeg"/><enclosure url="/talk.mp3" type="audio/mpeg"/>', "/talk.mp3"),
        ('<enclosure url="/talk" /><enclosure url="/film" type="video/mp4"/>', "/film"),
        ('<enclosure url="/notes.pdf" type="application/pdf"/>', "/page"),
        ('<enclosure url="/cover.png"/><enclosure url="ftp://x.example/talk.mp3" type="audio/mpeg"/>', "/page"),
        ('<enclosure url="http://[bad/talk.mp3" type="audio/mpeg"/><enclosure url="" type="audio/mpeg"/>', "/page"),
        ('<enclosure url="talk.mp3?a=1&amp;b=2" type="application/octet-stream"/>', "/talk.mp3?a=1&b=2"),
        ('<enclosure url="talk.bin" type="application/octet-stream"/>', "/talk.bin"),
    ],
)
def test_the_media_of_an_entry_is_its_audio_or_video_and_else_its_page(site: Site, enclosures: str, expected: str) -> None:
    (entry,) = entries(site, rss(item(url="", more=f"<link>/page</link>{enclosures}")))
    assert entry.url == site.url + expected


def test_an_entry_that_leads_to_a_local_file_is_left_out(site: Site) -> None:
    assert entries(site, rss(item(url="file:///etc/hostname"), item("ep-2")))[0].url == f"{MEDIA}/one.mp3"


def test_an_entry_without_a_title_is_called_by_its_media(site: Site) -> None:
    assert entries(site, rss(item(title="")))[0].title == "one"


def test_the_date_of_a_change_is_not_the_date_of_an_upload(site: Site) -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A feed</title>'
        '<entry><id>1</id><link href="/one"/><updated>2026-01-01T00:00:00Z</updated></entry>'
        '<entry><id>2</id><link href="/two"/><published>2026-01-01T14:30:00+02:00</published></entry></feed>'
    )
    assert [entry.published_at for entry in entries(site, atom.encode())] == [None, NEW_YEAR]


def test_rdf_is_a_feed(site: Site) -> None:
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        '<channel rdf:about="https://x.example/"><title>Old</title></channel>'
        '<item rdf:about="https://x.example/1"><title>One</title><link>https://x.example/1</link></item></rdf:RDF>'
    )
    (entry,) = entries(site, rdf.encode())
    assert (entry.title, entry.channel, entry.url) == ("One", "Old", "https://x.example/1")


def test_youtube_feed_has_ids_dates_and_shorts_and_is_incomplete(site: Site) -> None:
    listing = read(site, youtube_feed(YOUTUBE_ID, "abcdefghij_", shorts=("abcdefghij_",)))
    assert not listing.complete
    talk, short = listing.entries
    assert talk == Entry(
        YOUTUBE_ID, f"https://www.youtube.com/watch?v={YOUTUBE_ID}", f"Talk {YOUTUBE_ID}", "A channel", NEW_YEAR
    )
    assert (short.video_id, short.url, short.short) == ("abcdefghij_", "https://www.youtube.com/watch?v=abcdefghij_", True)


def test_a_youtube_feed_without_videos_is_not_all_there_is_either(site: Site) -> None:
    assert read(site, youtube_feed()) == Listing((), complete=False)


# --- nothing new costs nothing -------------------------------------------------------------------------------------------


def test_a_feed_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    for told, expected in ((Validators('"1"', date), '"1"'), (Validators(None, date), None)):
        listing = read(site, Answer(rss(item()), etag=told.etag, last_modified=told.last_modified))
        assert listing.validators == told
        assert read_feed(f"{site.url}/feed.xml", source_at(f"{site.url}/feed.xml"), listing.validators) is None
        asked = site.asked_for("/feed.xml")[-1].headers
        assert (asked["If-None-Match"], asked["If-Modified-Since"]) == (expected, date)


def test_a_feed_that_has_changed_is_sent_whole_with_its_new_validators(site: Site) -> None:
    url = site.put("/feed.xml", Answer(rss(item(), item("ep-2")), etag='"2"'))
    listing = read_feed(url, source_at(url), Validators('"1"'))
    assert listing is not None
    assert (len(listing.entries), listing.validators) == (2, Validators('"2"'))


def test_not_changed_from_a_server_that_was_not_asked_for_it_is_an_error(site: Site) -> None:
    assert "answers 304" in refusal(site, Answer(status=304)).message


# --- pages ---------------------------------------------------------------------------------------------------------------


def test_feed_pages_are_followed_and_first_has_the_validators(site: Site) -> None:
    site.put("/two.xml", Answer(rss(item("ep-2", "Also on page two"), item("ep-1"), more=next_page("three.xml")), etag='"2"'))
    site.put("/three.xml", Answer(rss(item("ep-0"))))
    listing = read(site, Answer(rss(item("ep-3"), item("ep-2", "Two"), more=next_page("/two.xml")), etag='"1"'))
    assert [entry.video_id.split("-")[2] for entry in listing.entries] == ["3", "2", "1", "0"]
    assert listing.entries[1].title == "Two"
    assert (listing.complete, listing.validators) == (True, Validators('"1"'))
    assert site.asked_for("/two.xml")[0].headers["If-None-Match"] is None


def test_pages_that_lead_in_a_circle_are_read_once(site: Site) -> None:
    site.put("/two.xml", Answer(rss(item("ep-1"), more=next_page("/feed.xml"))))
    listing = read(site, rss(item("ep-2"), more=next_page("/two.xml")))
    assert (len(listing.entries), listing.complete) == (2, True)
    assert [asked.path for asked in site.asked] == ["/feed.xml", "/two.xml"]


def test_endless_feed_pages_stop_at_limit_and_listing_is_incomplete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_PAGES", 3)
    for number in range(5):
        site.put(f"/page?{number}", Answer(rss(item(f"ep-{number}"), more=next_page(f"/page?{number + 1}"))))
    url = f"{site.url}/page?0"
    listing = read_feed(url, source_at(url))
    assert listing is not None
    assert (len(listing.entries), listing.complete, len(site.asked)) == (3, False, 3)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (Answer(status=500), "answers 500"),
        (Answer(rss(item("ep-1")), drop_after=200), "cut short"),
        (Answer(b"<html><body>Sorry</body></html>"), "a web page, not a feed"),
        (Answer(b"\x89PNG" + b"\xff" * 100), "binary data, not a feed"),
    ],
)
def test_nothing_is_listed_of_a_feed_whose_second_page_fails(site: Site, second: Answer, expected: str) -> None:
    site.put("/two.xml", second)
    error = refusal(site, Answer(rss(item("ep-2"), more=next_page("/two.xml")), etag='"1"'))
    assert expected in error.message
    assert not isinstance(error, NotAFeed)


# --- feeds that are broken -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_nothing_is_taken_of_a_feed_cut_short_anywhere(site: Site, announced: bool) -> None:
    whole = rss(item("ep-2"), item("ep-1", "</rss> & <rss>"))
    root = whole.index(b"<rss")
    for end in (root + 100, whole.index(b"ep-1"), whole.index(b"</channel>"), len(whole) - 6, len(whole) - 1):
        answer = Answer(whole if announced else whole[:end], etag='"1"', announced=announced, drop_after=end)
        assert "cut short" in refusal(site, answer).message
    assert len(entries(site, Answer(whole, announced=announced))) == 2


def test_an_end_that_an_entry_quotes_is_not_the_end(site: Site) -> None:
    quoting = item("ep-1", more="<description><![CDATA[It ends with </rss>]]></description>")
    whole = rss(quoting, item("ep-0"))
    assert "cut short" in refusal(site, Answer(whole[: whole.index(b"ep-0")], announced=False)).message
    assert len(entries(site, whole)) == 2


def test_what_a_cache_writes_after_the_end_does_no_harm(site: Site) -> None:
    assert len(entries(site, rss(item()) + b"\n<!-- Cached <b>page</b> by a plugin -->\n")) == 1


FAULTS = {
    "a stray ampersand in a title": (b"One", b"Q & A & so on"),
    "a stray ampersand in an address": (b"one.mp3", b"one.mp3?a=1&b=2"),
    "an entity of HTML": (b"One", b"One&nbsp;&eacute;"),
    "a control character": (b"One", b"O\x0bn\x00e"),
    "a reference to no character": (b"One", b"One&#0;&#xD800;&#99999999999;"),
    "bytes of another encoding": (b"One", b"caf\xe9"),
    "a tag that is never closed": (b"One", b"<b>One"),
    "a prefix that is not declared": (b"<title>One", b"<nobody:knows>x</nobody:knows><title>One"),
    "spaces before the declaration": (b"<?xml", b"\n\n <?xml"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_ill_formed_xml_is_read_with_the_same_keys(site: Site, fault: str) -> None:
    guids = ("ep-1", "https://x.example/?p=1&post_type=podcast", "<ep>")
    sound = rss(*(item(guid) for guid in guids))
    ill = sound.replace(*FAULTS[fault])
    assert ill != sound
    expected, found = entries(site, sound), entries(site, ill)
    assert [entry.video_id for entry in found] == [entry.video_id for entry in expected]
    assert all(entry.title and entry.title.isprintable() for entry in found)


def test_an_ampersand_in_cdata_is_what_it_says(site: Site) -> None:
    quoted = rss(item("a&b=1")).replace(b"a&amp;b=1", b"<![CDATA[a&b=1]]>")
    assert entries(site, quoted)[0].video_id == entries(site, rss(item("a&b=1")))[0].video_id


def test_cdata_that_is_never_closed_does_not_hold_up_the_reading() -> None:
    body = b"<rss>" + b"<![CDATA[" * 200_000 + b"</rss>"
    assert repaired(body) == body  # in minutes, where each one looks for its end


def test_an_address_with_a_stray_ampersand_is_whole(site: Site) -> None:
    ill = rss(item()).replace(b"one.mp3", b"one.mp3?a=1&b=2")
    assert entries(site, ill)[0].url == f"{MEDIA}/one.mp3?a=1&b=2"


def test_a_feed_in_utf_16_is_read(site: Site) -> None:
    body = rss(item(title="Zwei 日本")).decode().replace("utf-8", "utf-16").encode("utf-16")
    assert entries(site, body)[0].title == "Zwei 日本"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_feed_content_is_read_or_refused(server: Site, junk: bytes, at: int) -> None:
    sound = rss(item())
    url = server.put("/feed.xml", Answer(sound[:at] + junk + sound[at:]))
    listing = None
    with suppress(SourceUnusable):
        listing = read_feed(url, source_at(url))
    found = listing.entries if listing else ()
    assert all(entry.video_id.isascii() and "\0" not in entry.title + entry.url for entry in found)


def test_entities_that_multiply_are_not_expanded(site: Site) -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    document_type = f'<!DOCTYPE rss [<!ENTITY l0 "lol"><!ENTITY f SYSTEM "file:///etc/hostname">{levels}]>'
    bomb = rss(item(title="BOMB")).replace(b"<rss", document_type.encode() + b"<rss", 1).replace(b"BOMB", b"&l9;&f;")
    assert entries(site, bomb)[0].title == "&l9;&f;"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "nothing"),
        (b" \n", "nothing"),
        (b"<!DOCTYPE html><html><body>Hello</body></html>", "a web page"),
        (b"<?xml version='1.0'?><!-- x --><html xmlns='http://www.w3.org/1999/xhtml'></html>", "a web page"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "title": "A feed", "items": [1, 2, 3, 4, 5, 6]}', "JSON"),
        (b"\xff\xfb\x90\x00" + bytes(range(256)) * 4, "binary data"),
        (b"Hello. " * 20, "text"),
        (b"<opml version='2.0'><body/></opml>", r"XML of another kind (<opml>)"),
    ],
)
def test_error_describes_what_is_not_a_feed(site: Site, body: bytes, expected: str) -> None:
    error = refusal(site, body)
    assert isinstance(error, NotAFeed)
    assert error.message == f"the feed: {expected}, not a feed."
    assert not is_feed(body)


def test_media_in_place_of_a_feed_is_not_read_to_its_end(site: Site) -> None:
    endless = Answer(b"\xff\xfb\x90\x00" * 10_000, drop_after=30_000)
    assert isinstance(refusal(site, endless), NotAFeed)


def test_root_element_distinguishes_feed_from_page() -> None:
    begun = b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <html> -->\n<!DOCTYPE rss [<!ENTITY a '>'>]>\n"
    assert is_feed(begun + b"<rss version='2.0'>")
    assert is_feed(b"<atom:feed xmlns:atom='http://www.w3.org/2005/Atom'>")
    assert is_feed(b"<rdf:RDF>")
    assert not is_feed(begun + b"<html><rss>")
    assert not is_feed(b"<feeds>")


def test_a_feed_without_entries_is_an_empty_listing(site: Site) -> None:
    assert read(site, rss()) == Listing((), complete=True)


def test_a_feed_of_20_000_entries_is_listed_whole(site: Site) -> None:
    listing = read(site, rss(*(item(f"ep-{n}", f"Talk {n}", f"{MEDIA}/{n}.mp3") for n in range(20_000))))
    assert len(listing.entries) == 20_000
    assert listing.entries[-1].url == f"{MEDIA}/19999.mp3"


# --- how it is sent ------------------------------------------------------------------------------------------------------


def test_a_compressed_feed_is_read_and_one_cut_in_it_is_not(site: Site) -> None:
    packed = gzip.compress(rss(item()))
    answer = Answer(packed, headers={"Content-Encoding": "gzip"}, piece=7)
    assert len(entries(site, answer)) == 1
    assert "gzip" in site.asked_for("/feed.xml")[0].headers["Accept-Encoding"]
    assert "cut short" in refusal(site, replace(answer, drop_after=100)).message
    assert refusal(site, replace(answer, body=packed[:100])).remedy


def test_a_body_that_would_not_end_is_left(site: Site) -> None:
    endless = gzip.compress(b"<rss><channel>" + b" " * conditional_get.MAX_BYTES)
    assert "over 64 MB" in refusal(site, Answer(endless, headers={"Content-Encoding": "gzip"})).message


def test_redirects_are_followed_and_the_key_is_of_the_host_that_was_named(site: Site) -> None:
    (direct,) = entries(site, rss(item(url="one.mp3")))
    site.put("/new/feed.xml", Answer(rss(item(url="one.mp3")), etag='"1"'))
    named = site.url.replace("127.0.0.1", "localhost")
    for status in (301, 302, 307, 308):
        (entry,) = entries(site, moved(f"{named}/new/feed.xml", status))
        assert entry.url == f"{named}/new/one.mp3"
        assert entry.video_id == direct.video_id


def test_endless_redirects_are_an_error(site: Site) -> None:
    assert "redirects never end" in refusal(site, moved("/feed.xml")).message


@pytest.mark.parametrize("location", ["file:///etc/hostname", "http://[bad", "ftp://x.example/feed.xml"])
def test_a_redirect_to_no_http_address_is_refused(site: Site, location: str) -> None:
    assert "cannot be read" in refusal(site, moved(location)).message


def test_a_redirect_to_a_private_address_is_refused_unless_allowed(site: Site) -> None:
    site.put("/target.xml", Answer(rss(item())))
    elsewhere = site.url.replace("127.0.0.1", "127.0.0.2") + "/target.xml"
    assert "leads to 127.0.0.2" in refusal(site, moved(elsewhere)).message
    url = f"{site.url}/feed.xml"
    with pytest.raises(SourceUnusable, match="refused"):  # by the machine: nothing listens there
        read_feed(url, source_at(url, allow_private=True))


@pytest.mark.parametrize(("told", "expected"), [("120", 120.0), (None, None), ("soon", None)])
def test_too_many_requests_block_the_source_for_as_long_as_the_site_asks(
    site: Site, told: str | None, expected: float | None
) -> None:
    error = refusal(site, too_many(told))
    assert isinstance(error, SourceBlocked)
    assert error.pause_s == expected
    assert "429" in error.message


def test_a_site_that_is_away_until_a_date_blocks_its_source_till_then(site: Site) -> None:
    error = refusal(site, too_many(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 503))
    assert isinstance(error, SourceBlocked)
    assert error.pause_s is not None
    assert 0.0 < error.pause_s <= 3600.0


def test_unavailable_site_without_retry_after_is_unusable(site: Site) -> None:
    assert not isinstance(refusal(site, Answer(status=503)), SourceBlocked)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "login"), (403, "cookies"), (404, "Nothing is at this address"), (410, "for good"), (500, "again later")],
)
def test_error_status_has_a_remedy(site: Site, status: int, remedy: str) -> None:
    error = refusal(site, Answer(status=status))
    assert f"answers {status} (" in error.message
    assert remedy in error.remedy


def test_a_server_that_fails_once_is_read_the_next_time(site: Site) -> None:
    url = site.put("/feed.xml", Answer(status=500), Answer(rss(item())))
    with pytest.raises(SourceUnusable, match="500"):
        read_feed(url, source_at(url))
    listing = read_feed(url, source_at(url))
    assert listing is not None
    assert len(listing.entries) == 1


def test_missing_server_is_an_error() -> None:
    with misbehaving() as gone:
        url = f"{gone.url}/feed.xml"
    with pytest.raises(SourceUnusable, match=r"the feed: it cannot be read: Connection refused\."):
        read_feed(url, source_at(url))


def test_host_without_address_is_an_error() -> None:
    with pytest.raises(SourceUnusable, match="the feed: it cannot be read: "):
        read_feed("http://nowhere.invalid/feed.xml", source_at("http://nowhere.invalid/feed.xml"))


def test_a_server_that_goes_on_too_slowly_is_left(site: Site) -> None:
    slow = Answer(rss(item()), piece=1, pause_s=0.02)
    assert "too slow" in refusal(site, slow, deadline_s=0.3).message
    stuck = Answer(rss(item()), pause_s=0.6)
    assert "too slow" in refusal(site, stuck, deadline_s=0.2).message


def test_the_time_is_of_all_pages_together(site: Site) -> None:
    for number in range(10):
        body = rss(item(f"ep-{number}"), more=next_page(f"/page?{number + 1}"))
        site.put(f"/page?{number}", Answer(body, pause_s=0.1))
    with pytest.raises(SourceUnusable, match="too slow"):
        read_feed(f"{site.url}/page?0", source_at(f"{site.url}/page?0"), deadline_s=0.35)
    assert len(site.asked) < 10


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        too_many("1"),
        Answer(b"nothing " * 20),
        Answer(rss(item()), drop_after=150),
        moved("ftp://x/?key=SECRET-1"),
    ],
)
def test_no_error_holds_the_secret_of_an_address(site: Site, answer: Answer) -> None:
    error = refusal(site, answer, path="/feed.xml?token=SECRET-1")
    assert "SECRET" not in str(error)


def test_no_error_holds_the_password_of_a_proxy() -> None:
    with misbehaving() as gone:
        pass
    proxy = gone.url.replace("http://", "http://me:SECRET-1@")
    with pytest.raises(SourceUnusable) as caught:
        read_feed("http://x.example/feed.xml?key=SECRET-2", source_at("http://x.example/feed.xml", proxy=proxy))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


# --- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("1:02:03", 3723.0), ("62:03", 3723.0), ("3723", 3723.0), (" 3723 ", 3723.0), ("01:02:03", 3723.0),
        ("PT1H2M3S", 3723.0), ("0", None), ("00:00:00", None), ("", None), (None, None), ("soon", None), ("-5", None),
        ("1e9", None), ("9" * 500, None),
    ],
)  # fmt: skip
def test_lengths_are_read_or_left_away(told: str | None, expected: float | None) -> None:
    assert duration_s(told) == expected


@pytest.mark.parametrize(
    "told",
    [
        "Thu, 01 Jan 2026 12:30:00 GMT", "Thu, 01 Jan 2026 13:30:00 +0100", "1 Jan 2026 12:30:00 +0000", "2026-01-01T12:30:00Z",
        "2026-01-01T14:30:00+02:00", "Thu, 1 Jan 2026 07:30:00 EST", "Thu,  01 Jan 2026 12:30 UT", "2026-01-01 12:30",
        "2026-01-01T12:30:00.000000000Z", "Thu, 01 Jan 26 12:30:00 -0000",
    ],
)  # fmt: skip
def test_dates_are_read_in_utc(told: str) -> None:
    assert published_at(told) == NEW_YEAR


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "yesterday",
        "12:30",
        "Jan 1",
        "Mon, 01 Jan 0001 00:00:00 +0000",
        "9" * 40,
        "--01-12",
        "0001-01-01T00:00:00Z",
        "2026",
        "1767270600",
    ],
)
def test_what_is_no_date_is_none_and_not_today(told: str | None) -> None:
    assert published_at(told) is None


@given(st.one_of(st.text(), st.from_regex(r"[0-9:.]{0,20}"), st.from_regex(r"[0-9]+ [a-z]+", fullmatch=True)))
def test_any_words_for_a_length_give_a_length_or_none(told: str) -> None:
    found = duration_s(told)
    assert found is None or 0.0 < found < float("inf")


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{2,5} [0-9:]{0,9} [+-][0-9]{4}")))
def test_any_words_for_a_date_give_a_moment_in_utc_or_none(told: str) -> None:
    found = published_at(told)
    assert found is None or found.utcoffset() == timedelta(0)


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_any_date_as_feeds_write_it_is_that_moment(moment: datetime, minutes: int) -> None:
    at = moment.replace(microsecond=0, tzinfo=UTC)
    local = at.astimezone(timezone(timedelta(minutes=minutes)))
    assert published_at(format_datetime(local)) == published_at(at.isoformat()) == at


@given(st.text())
def test_any_words_for_a_pause_give_one_that_ends_or_none(told: str) -> None:
    found = retry_after_s(told, NEW_YEAR)
    assert found is None or 0.0 <= found <= MAX_PAUSE_S


def test_retry_after_is_seconds_or_date_and_at_most_a_week() -> None:
    assert retry_after_s("7", NEW_YEAR) == 7.0
    assert retry_after_s("Thu, 01 Jan 2026 12:31:00 GMT", NEW_YEAR) == 60.0
    assert retry_after_s("Thu, 01 Jan 2026 12:00:00 GMT", NEW_YEAR) == 0.0
    assert retry_after_s("9" * 50, NEW_YEAR) == retry_after_s("Fri, 01 Jan 2100 00:00:00 GMT", NEW_YEAR) == MAX_PAUSE_S
