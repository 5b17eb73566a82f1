"""Feeds read from servers that behave badly: their entries, keys and errors."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from earshot.sources.kinds import feeds
from earshot.sources.kinds.feed_body import is_feed, repaired
from earshot.sources.kinds.feeds import read_feed
from earshot.sources.net import conditional_get
from earshot.sources.net.session import session
from earshot.storage.catalog.entries import Entry, Listing, Validators, generic_key
from tests.earshot.sources.kinds.youtube import youtube_feed
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
    identity = f'<guid isPermaLink="false">{escape(guid)}</guid>' if guid else ""
    media = f'<enclosure url={quoteattr(url)} type="audio/mpeg" length="1"/>' if url else ""
    return f"<item>{identity}<title>{escape(title)}</title>{media}{more}</item>"


def rss(*items: str, more: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom">'
        f"<channel><title>A podcast</title>{more}{''.join(items)}</channel></rss>"
    ).encode()


def next_page(url: str) -> str:
    return f'<atom:link rel="next" href={quoteattr(url)}/>'


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


# --- entries -------------------------------------------------------------------------------------------------------------


def test_podcast_entry_has_all_its_facts(site: Site) -> None:
    facts = "<pubDate>Thu, 01 Jan 2026 13:30:00 +0100</pubDate><itunes:duration>1:02:03</itunes:duration>"
    listing = read(site, rss(item(title="Zwei &amp; mehr\n   🎙", more=facts), item("ep-2", url=f"{MEDIA}/two.mp3")))
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
    """The keys of this feed, asserted to be those of yt-dlp's own reading of it."""
    url = site.put("/feed.xml", Answer(body, headers={"Content-Type": "application/rss+xml"}))
    listing = read_feed(url, source_at(url))
    assert listing is not None
    keys = [entry.video_id for entry in listing.entries]
    with session(source_at(url), extract_flat=True) as downloader:
        extracted: Any = downloader.extract_info(url, download=False)
    assert keys == [stored_key(entry, url) for entry in extracted["entries"]]
    return keys


def stored_key(entry: dict[str, Any], url: str) -> str:
    """The key that libraries have for an entry that yt-dlp's generic extractor lists in a feed."""
    address, smuggled = unsmuggle_url(entry["url"], default={})
    guid = smuggled.get("force_videoid")
    origin = f"{urlsplit(url).hostname} {guid}" if guid else address
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", guid or Path(urlsplit(address).path).stem).strip("-") or "unnamed"
    return f"generic-{readable[-40:].strip('-')}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"


def test_keys_match_yt_dlp(site: Site) -> None:
    keys = same_keys(site, rss(*(item(guid) for guid in AWKWARD_GUIDS)))
    assert len(set(keys)) == len(AWKWARD_GUIDS)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1), min_size=1, unique=True))
def test_keys_of_ascii_guids_match_yt_dlp(server: Site, guids: list[str]) -> None:
    guids = [guid for guid in guids if ":///" not in guid]  # feedparser takes one slash away
    same_keys(server, rss(item("any"), *(item(guid) for guid in guids if guid != "any")))


def test_key_without_guid_is_of_media_or_page(site: Site) -> None:
    page = f"<link>https://www.youtube.com/watch?v={YOUTUBE_ID}</link>"
    keys = same_keys(site, rss(item(None), item(None, url="", more=page), item("ep-1", url="", more=page)))
    assert [key.rpartition("-")[0] for key in keys] == ["generic-one", "generic-watch", "generic-ep-1"]


def test_stored_keys_are_stable() -> None:
    link = f"https://www.youtube.com/watch?v={YOUTUBE_ID}"
    assert generic_key("g1", link, "http://127.0.0.1:8000/feed.xml") == "generic-g1-fa9c4d1b"
    for guid, host in ((None, "127.0.0.1"), ("", "x.example")):
        assert generic_key(guid, link, f"http://{host}/") == "generic-watch-0424974c"
    assert generic_key("\n g1 ", f" {link} ", "http://127.0.0.1/") == "generic-g1-fa9c4d1b"
    assert generic_key(None, f" {link} ", "http://127.0.0.1/") == "generic-watch-0424974c"


def test_guid_that_is_no_url_is_no_link(site: Site) -> None:
    bare = rss("<item><guid>ep-1</guid><title>Nothing to fetch</title></item>", item("ep-2"))
    assert [entry.url for entry in entries(site, bare)] == [f"{MEDIA}/one.mp3"]


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
def test_entry_leads_to_its_media_or_page(site: Site, enclosures: str, expected: str) -> None:
    (entry,) = entries(site, rss(item(url="", more=f"<link>/page</link>{enclosures}")))
    assert entry.url == site.url + expected


def test_entry_with_file_url_is_left_out(site: Site) -> None:
    assert entries(site, rss(item(url="file:///etc/hostname"), item("ep-2")))[0].url == f"{MEDIA}/one.mp3"


def test_untitled_entry_is_named_after_its_media(site: Site) -> None:
    assert entries(site, rss(item(title="")))[0].title == "one"


def test_updated_is_no_upload_date(site: Site) -> None:
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
    listing = read(site, youtube_feed({YOUTUBE_ID: NEW_YEAR, "abcdefghij_": NEW_YEAR}, shorts=("abcdefghij_",)))
    assert not listing.complete
    talk, short = listing.entries
    assert talk == Entry(YOUTUBE_ID, f"https://www.youtube.com/watch?v={YOUTUBE_ID}", YOUTUBE_ID, "A channel", NEW_YEAR)
    assert (short.video_id, short.url, short.short) == ("abcdefghij_", "https://www.youtube.com/watch?v=abcdefghij_", True)


def test_empty_youtube_feed_is_incomplete(site: Site) -> None:
    assert read(site, youtube_feed({})) == Listing((), complete=False)


# --- conditional requests ------------------------------------------------------------------------------------------------


def test_unchanged_feed_is_none(site: Site) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    for validators, expected in ((Validators('"1"', date), '"1"'), (Validators(None, date), None)):
        listing = read(site, Answer(rss(item()), etag=validators.etag, last_modified=validators.last_modified))
        assert listing.validators == validators
        assert read_feed(f"{site.url}/feed.xml", source_at(f"{site.url}/feed.xml"), listing.validators) is None
        headers = site.asked_for("/feed.xml")[-1].headers
        assert (headers["If-None-Match"], headers["If-Modified-Since"]) == (expected, date)


def test_changed_feed_has_new_validators(site: Site) -> None:
    url = site.put("/feed.xml", Answer(rss(item(), item("ep-2")), etag='"2"'))
    listing = read_feed(url, source_at(url), Validators('"1"'))
    assert listing is not None
    assert (len(listing.entries), listing.validators) == (2, Validators('"2"'))


def test_unrequested_304_is_an_error(site: Site) -> None:
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


def test_circular_pages_are_read_once(site: Site) -> None:
    site.put("/two.xml", Answer(rss(item("ep-1"), more=next_page("/feed.xml"))))
    listing = read(site, rss(item("ep-2"), more=next_page("/two.xml")))
    assert (len(listing.entries), listing.complete) == (2, True)
    assert [request.path for request in site.asked] == ["/feed.xml", "/two.xml"]


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
        (Answer(b"<html><body>Sorry</body></html>"), "a web page"),
        (Answer(b"\x89PNG" + b"\xff" * 100), "binary data"),
    ],
)
def test_failing_second_page_is_an_error(site: Site, second: Answer, expected: str) -> None:
    site.put("/two.xml", second)
    error = refusal(site, Answer(rss(item("ep-2"), more=next_page("/two.xml")), etag='"1"'))
    assert expected in error.message
    assert not isinstance(error, NotAFeed)


# --- broken feeds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_truncated_feed_is_refused(site: Site, announced: bool) -> None:
    whole = rss(item("ep-2"), item("ep-1", "</rss> & <rss>"))
    root = whole.index(b"<rss")
    for end in (root + 100, whole.index(b"ep-1"), whole.index(b"</channel>"), len(whole) - 6, len(whole) - 1):
        answer = Answer(whole if announced else whole[:end], etag='"1"', announced=announced, drop_after=end)
        assert "cut short" in refusal(site, answer).message
    assert len(entries(site, Answer(whole, announced=announced))) == 2


def test_quoted_end_tag_is_not_the_end(site: Site) -> None:
    quoting = item("ep-1", more="<description><![CDATA[It ends with </rss>]]></description>")
    whole = rss(quoting, item("ep-0"))
    assert "cut short" in refusal(site, Answer(whole[: whole.index(b"ep-0")], announced=False)).message
    assert len(entries(site, whole)) == 2


def test_comment_after_the_end_is_ignored(site: Site) -> None:
    assert len(entries(site, rss(item()) + b"\n<!-- Cached <b>page</b> by a plugin -->\n")) == 1


FAULTS = {
    "a stray ampersand in a title": (b"One", b"Q & A & so on"),
    "a stray ampersand in an address": (b"one.mp3", b"one.mp3?a=1&b=2"),
    "an entity of HTML": (b"One", b"One&nbsp;&eacute;"),
    "a control character": (b"One", b"O\x0bn\x00e"),
    "a reference to no character": (b"One", b"One&#0;&#xD800;&#99999999999;"),
    "bytes of another encoding": (b"One", b"caf\xe9"),
    "a tag that is never closed": (b"One", b"<b>One"),
    "a prefix that is not declared": (b"<title>One", b"<no:prefix>x</no:prefix><title>One"),
    "spaces before the declaration": (b"<?xml", b"\n\n <?xml"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_ill_formed_xml_is_read_with_the_same_keys(site: Site, fault: str) -> None:
    guids = ("ep-1", "https://x.example/?p=1&post_type=podcast", "<ep>")
    sound = rss(*(item(guid) for guid in guids))
    broken = sound.replace(*FAULTS[fault])
    assert broken != sound
    expected, repaired_entries = entries(site, sound), entries(site, broken)
    assert [entry.video_id for entry in repaired_entries] == [entry.video_id for entry in expected]
    assert all(entry.title and entry.title.isprintable() for entry in repaired_entries)


def test_ampersand_in_cdata_is_kept(site: Site) -> None:
    quoted = rss(item("a&b=1")).replace(b"a&amp;b=1", b"<![CDATA[a&b=1]]>")
    assert entries(site, quoted)[0].video_id == entries(site, rss(item("a&b=1")))[0].video_id


def test_unclosed_cdata_takes_linear_time() -> None:
    body = b"<rss>" + b"<![CDATA[" * 200_000 + b"</rss>"
    assert repaired(body) == body  # takes minutes if each one searches for its end


def test_stray_ampersand_in_url_is_kept(site: Site) -> None:
    broken = rss(item()).replace(b"one.mp3", b"one.mp3?a=1&b=2")
    assert entries(site, broken)[0].url == f"{MEDIA}/one.mp3?a=1&b=2"


def test_utf_16_feed_is_read(site: Site) -> None:
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
    for entry in listing.entries if listing else ():
        assert entry.video_id.isascii()
        assert "\0" not in entry.title + entry.url


def test_entity_bomb_is_not_expanded(site: Site) -> None:
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
    assert expected in error.message
    assert not is_feed(body)


def test_media_is_refused_before_its_end(site: Site) -> None:
    endless = Answer(b"\xff\xfb\x90\x00" * 10_000, drop_after=30_000)
    assert isinstance(refusal(site, endless), NotAFeed)


def test_root_element_distinguishes_feed_from_page() -> None:
    start = b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <html> -->\n<!DOCTYPE rss [<!ENTITY a '>'>]>\n"
    assert is_feed(start + b"<rss version='2.0'>")
    assert is_feed(b"<atom:feed xmlns:atom='http://www.w3.org/2005/Atom'>")
    assert is_feed(b"<rdf:RDF>")
    assert not is_feed(start + b"<html><rss>")
    assert not is_feed(b"<feeds>")


# --- responses -----------------------------------------------------------------------------------------------------------


def test_compressed_feed_is_read_or_refused_if_truncated(site: Site) -> None:
    packed = gzip.compress(rss(item()))
    answer = Answer(packed, headers={"Content-Encoding": "gzip"}, piece=7)
    assert len(entries(site, answer)) == 1
    assert "gzip" in site.asked_for("/feed.xml")[0].headers["Accept-Encoding"]
    assert "cut short" in refusal(site, replace(answer, drop_after=100)).message
    assert refusal(site, replace(answer, body=packed[:100])).remedy


def test_body_over_the_limit_is_refused(site: Site) -> None:
    endless = gzip.compress(b"<rss><channel>" + b" " * conditional_get.MAX_BYTES)
    assert "over 64 MB" in refusal(site, Answer(endless, headers={"Content-Encoding": "gzip"})).message


def test_redirect_keeps_keys_of_named_host(site: Site) -> None:
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
def test_redirect_to_other_scheme_is_refused(site: Site, location: str) -> None:
    assert "cannot be read" in refusal(site, moved(location)).message


@pytest.mark.parametrize(("header", "expected"), [("120", 120.0), (None, None), ("soon", None)])
def test_too_many_requests_block_the_source(site: Site, header: str | None, expected: float | None) -> None:
    error = refusal(site, too_many(header))
    assert isinstance(error, SourceBlocked)
    assert error.pause_s == expected
    assert "429" in error.message


def test_unavailable_site_with_retry_after_blocks_the_source(site: Site) -> None:
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


def test_missing_server_is_an_error() -> None:
    with misbehaving() as stopped:
        url = f"{stopped.url}/feed.xml"
    with pytest.raises(SourceUnusable, match="Connection refused"):
        read_feed(url, source_at(url))


def test_host_without_address_is_an_error() -> None:
    with pytest.raises(SourceUnusable, match="cannot be read"):
        read_feed("http://nowhere.invalid/feed.xml", source_at("http://nowhere.invalid/feed.xml"))


def test_slow_server_is_an_error(site: Site) -> None:
    slow = Answer(rss(item()), piece=1, pause_s=0.02)
    assert "too slow" in refusal(site, slow, deadline_s=0.3).message
    stuck = Answer(rss(item()), pause_s=0.6)
    assert "too slow" in refusal(site, stuck, deadline_s=0.2).message


def test_deadline_covers_all_pages(site: Site) -> None:
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
def test_error_has_no_secret_of_url(site: Site, answer: Answer) -> None:
    error = refusal(site, answer, path="/feed.xml?token=SECRET-1")
    assert "SECRET" not in str(error)


def test_error_has_no_password_of_proxy() -> None:
    with misbehaving() as stopped:
        pass
    proxy = stopped.url.replace("http://", "http://me:SECRET-1@")
    with pytest.raises(SourceUnusable) as caught:
        read_feed("http://x.example/feed.xml?key=SECRET-2", source_at("http://x.example/feed.xml", proxy=proxy))
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_title_is_cut_and_an_address_longer_than_any_left_out(site: Site) -> None:
    """An entry may have 50 MB of either."""
    long = item("ep-2", url=f"{MEDIA}/{'a' * 10_000}.mp3")
    [entry] = entries(site, rss(item(title="word " * 100_000), long))
    assert (entry.title, entry.url) == (("word " * 200).strip(), f"{MEDIA}/one.mp3")
