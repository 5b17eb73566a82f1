"""Feeds, pages and media of a hostile server: entities, bodies without end, gzip of gigabytes, redirects inwards."""

import gzip
import json
from collections.abc import Iterator
from functools import partial

from bench.chaos.hostile.case import EMPTY, NO_SOURCE, Case, Made, Place
from bench.chaos.hostile.damage import good_file
from bench.chaos.hostile.site import Body, HostileAnswer, drip, endless

UNUSABLE = (NO_SOURCE,)
LISTED = ("removed",)  # the feed was read; its media is not there
EITHER = (NO_SOURCE, "removed", EMPTY, "failed")
GIGABYTE = 1 << 30
PUBLISHED = "<title>Talk</title><guid>talk-1</guid><pubDate>Mon, 01 Jan 2024 00:00:00 GMT</pubDate>"
ADDRESSES = (
    "file:///etc/passwd", "http://127.0.0.2/x.mp3", "http://169.254.169.254/latest", "http://[::1]/x.mp3", "http://2130706434/x.mp3",
    "http://0x7f.0.0.2/x.mp3", "http://[::ffff:10.0.0.1]/x.mp3", "ftp://127.0.0.1/x.mp3", "data:audio/mpeg;base64,AAAA",
)  # fmt: skip
RESUMED = ("media of a byte a second", "media of half its length")
TRANSCRIPT = '<podcast:transcript url="http://10.0.0.1/t.vtt" type="text/vtt"/>'
ENDLESS_FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><title>Endless</title>'


def feed_cases(seed: int) -> Iterator[Case]:
    """All of them; the seed changes none."""
    del seed
    yield from _entities()
    yield from _sizes()
    yield from _addresses_and_charsets()
    yield from _bodies()
    yield from _redirects()
    yield from _pages()
    yield from _media()


def _feed(items: str, before: str = "", channel: str = "") -> bytes:
    head = f'<?xml version="1.0"?>{before}<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel>'
    return f"{head}<title>Show</title>{channel}{items}</channel></rss>".encode()


def _item(media: str = "/gone.mp3", more: str = "", published: str = PUBLISHED) -> str:
    return f'<item>{published}{more}<enclosure url="{media}" type="audio/mpeg" length="1"/></item>'


def _served(path: str, body: Body, place: Place, headers: dict[str, str] | None = None, announced: int | None = None) -> Made:
    answer = HostileAnswer(body, headers={"Content-Type": "application/rss+xml", **(headers or {})}, announced=announced)
    return Made(place.site.put(path, answer), {"kind": "feed", "limit": 1})


def _case(
    name: str,
    body: Body,
    states: tuple[str, ...],
    message: str = "",
    headers: dict[str, str] | None = None,
    announced: int | None = None,
) -> Case:
    path = "/" + "-".join(name.split()) + ".xml"
    return Case("feed", name, partial(_answering, path, body, headers, announced), states, message)


def _answering(path: str, body: Body, headers: dict[str, str] | None, announced: int | None, place: Place) -> Made:
    return _served(path, body, place, headers, announced)


# --- what is in a feed ---------------------------------------------------------------------------------------------------


TITLED = "<title>{}</title><guid>{}</guid>"


def _entities() -> Iterator[Case]:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    lol = f'<!DOCTYPE rss [<!ENTITY l0 "lol">{laughs}]>'
    long = f'<!DOCTYPE rss [<!ENTITY a "{"a" * 100_000}">]>'
    file = '<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    outside = '<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://127.0.0.2/p.dtd"> %p;]>'
    yield _case("a billion laughs", _feed(_item(published=TITLED.format("&l11;", "g1")), lol), EITHER)
    yield _case("one long entity 50,000 times", _feed(_item(published=TITLED.format("&a;" * 50_000, "g2")), long), EITHER)
    yield _case("an entity of this machine's file", _feed(_item(published=TITLED.format("&f;", "g3")), file), EITHER)
    yield _case("a parameter entity of another host", _feed(_item(published=TITLED.format("x", "g4")), outside), EITHER)
    yield _case(
        "control characters in a title", _feed(_item(published=TITLED.format("a&#0;b&#x1b;&#xd800;\x07", "g6"))), EITHER
    )


def _sizes() -> Iterator[Case]:
    """The bodies are made when they are asked for: each has up to 50 MB."""
    long, times = "word " * 100, 100_000
    for name, body, states in (
        ("100,000 elements within each other", lambda: [_feed("<a>" * times + "</a>" * times + _item())], EITHER),
        ("elements that are never closed", lambda: [_feed("<item><title>" * 50_000)], EITHER),
        ("50 MB of one entry", lambda: [_feed(_item(more=f"<description>{long * times}</description>"))], EITHER),
        ("50 MB of one title", lambda: [_feed(_item(published=TITLED.format(long * times, "g5")))], EITHER),
        ("50 MB of one attribute", lambda: [_feed(_item(media="http://127.0.0.1/" + "a" * 50_000_000))], EITHER),
        ("10,000 enclosures in one entry", lambda: [_feed(_item(more='<enclosure url="/x.mp3"/>' * 10_000))], EITHER),
        (
            "20,000 entries",
            lambda: [_feed("".join(_item(f"/{n}.mp3", "", TITLED.format(n, n)) for n in range(20_000)))],
            LISTED,
        ),
        ("20,000 entries with one guid", lambda: [_feed(_item() * 20_000)], LISTED),
        ("a guid of a megabyte", lambda: [_feed(_item(published=TITLED.format("x", "g" * 1_000_000)))], LISTED),
        ("10,000 transcripts in one entry", lambda: [_feed(_item(more=TRANSCRIPT * 10_000))], EITHER),
        ("a length of 5,000 digits", lambda: [_feed(_item(more=f"<itunes:duration>{'9' * 5000}</itunes:duration>"))], EITHER),
    ):
        yield _case(name, body, states)


def _addresses_and_charsets() -> Iterator[Case]:
    for address in ADDRESSES:
        yield _case(
            f"media at {address.replace('/', ' ')}", _feed(_item(address)), EITHER, "private|public|no audio|http|nothing"
        )
    yield _case("no feed but JSON", json.dumps({"a": [1] * 1000}).encode(), UNUSABLE)
    for charset in ("klingon", "utf-16", "utf-7"):
        yield _case(f"a feed that says {charset}", _feed(_item()).replace(b"?>", f' encoding="{charset}"?>'.encode()), EITHER)
    yield _case("bytes of no charset", b"\xff\xfe" + _feed(_item()), EITHER)


# --- how a body arrives --------------------------------------------------------------------------------------------------


def _zipped(megabytes: int, head: bytes = b"") -> bytes:
    """A beginning and so many megabytes of spaces: members of gzip one after another are one file."""
    return gzip.compress(head) + gzip.compress(b" " * (1 << 20)) * megabytes


def _bodies() -> Iterator[Case]:
    good = _feed(_item())
    yield _case("a body without an end", endless(ENDLESS_FEED + b"<!-- -->" * 8000, 4 * GIGABYTE), UNUSABLE, "64 MB")
    yield _case("a byte a second", drip(ENDLESS_FEED), UNUSABLE, "too slow")
    yield _case("gzip of 4 GB", _zipped(4096, ENDLESS_FEED), UNUSABLE, "64 MB", {"Content-Encoding": "gzip"})
    yield _case("gzip of gzip", gzip.compress(_zipped(4096)), UNUSABLE, "", {"Content-Encoding": "gzip, gzip"})
    yield _case("gzip that is none", good, EITHER, "", {"Content-Encoding": "gzip"})
    yield _case("a length of 100 times the body", good, UNUSABLE, "cut short", None, 100 * len(good))
    yield _case("a length of half the body", good, UNUSABLE, "cut short", None, len(good) // 2)
    yield _case(
        "chunks of a size that is none", b"ffffffffffffffffff\r\n" + good, UNUSABLE, "", {"Transfer-Encoding": "chunked"}
    )
    yield _case("a header of a megabyte", good, EITHER, "", {"X-Long": "a" * 1_000_000})
    yield _case("5,000 headers", good, EITHER, "", {f"X-{number}": "a" for number in range(5000)})
    yield _case("an etag of 60 KB", good, EITHER, "", {"ETag": '"' + "a" * 60_000 + '"'})


def _redirects() -> Iterator[Case]:
    for name, target in (("to itself", ""), ("to a private address", "http://127.0.0.2/feed.xml"), ("to a file", "file:///etc/passwd"),
                         ("to metadata of a cloud", "http://169.254.169.254/latest/meta-data/")):  # fmt: skip
        yield Case("redirect", f"a feed {name}", partial(_redirected, name, target), UNUSABLE)
        yield Case("redirect", f"media {name}", partial(_redirected_media, name, target), ("failed", "removed"))
    yield Case("redirect", "pages of a feed without an end", _endless_pages, (*UNUSABLE, "removed"))
    yield Case("redirect", "the next page at a private address", _private_page, UNUSABLE)


def _redirected(name: str, target: str, place: Place) -> Made:
    path = f"/redirected {name}.xml".replace(" ", "-")
    return Made(
        place.site.put(path, HostileAnswer(status=302, headers={"Location": target or path})), {"kind": "feed", "limit": 1}
    )


def _redirected_media(name: str, target: str, place: Place) -> Made:
    path = f"/redirected {name}.mp3".replace(" ", "-")
    place.site.put(path, HostileAnswer(status=302, headers={"Location": target or path}))
    return _served(
        f"/media-{name}.xml".replace(" ", "-"), _feed(_item(path, published=f"<title>x</title><guid>{path}</guid>")), place
    )


def _endless_pages(place: Place) -> Made:
    """Each page of a chain that leads through itself under other names."""
    link = '<link xmlns="http://www.w3.org/2005/Atom" rel="next" href="?{}"/>'
    return _served("/pages.xml", _feed(_item(), channel=link.format("page=1")), place)


def _private_page(place: Place) -> Made:
    link = '<link xmlns="http://www.w3.org/2005/Atom" rel="next" href="http://127.0.0.2/page.xml"/>'
    return _served("/private-page.xml", _feed(_item(), channel=link), place)


# --- pages and media -----------------------------------------------------------------------------------------------------


def _pages() -> Iterator[Case]:
    kind = "page"
    html = {"Content-Type": "text/html"}
    start = b"<!doctype html><html><body>"
    for name, answer in (
        ("a page without an end", HostileAnswer(endless(start + b"<p>word</p>" * 6000, 4 * GIGABYTE), headers=html)),
        ("a page of a byte a second", HostileAnswer(drip(start + b" " * 2000), headers=html)),
        ("a page of gzip of 4 GB", HostileAnswer(_zipped(4096, start), headers={**html, "Content-Encoding": "gzip"})),
        ("a page of 100,000 videos", HostileAnswer(start + b'<video src="/gone.mp4"></video>' * 100_000, headers=html)),
        ("a page of 5 MB of brackets", HostileAnswer(start + b"<" * 5_000_000, headers=html)),
        (
            "a page of itself",
            HostileAnswer(
                start + b'<iframe src="/page-of-itself"></iframe><meta http-equiv="refresh" content="0; url=?">', headers=html
            ),
        ),
    ):
        yield Case(kind, name, partial(_page, name, answer), EITHER)


def _page(name: str, answer: HostileAnswer, place: Place) -> Made:
    return Made(place.site.put("/" + name.replace(" ", "-"), answer), {"limit": 1})


def _media() -> Iterator[Case]:
    kind = "download"
    audio = {"Content-Type": "audio/mpeg"}
    silence = b"\xff\xf3\x18\xc4" + bytes(32)
    for name, body, announced, states, message in (
        ("media without an end", endless(silence * 30_000, 12 * GIGABYTE), None, ("failed",), "8 GB"),
        ("media of a byte a second", drip(silence * 100), None, ("failed",), "slow"),
        ("media that announces 100 TB", silence, 100 << 40, ("failed",), "Free some space"),
        ("media that announces nothing", b"", 0, ("failed",), ""),
        ("media of half its length", None, None, ("failed",), ""),
        (
            "a playlist as media",
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\nhttp://127.0.0.2/x.ts\n#EXT-X-ENDLIST\n",
            None,
            ("failed",),
            "",
        ),
        ("a page as media", b"<html>Sign in</html>" * 1000, None, ("failed",), ""),
    ):
        make, resumed = partial(_download, name, body, announced, audio), name in RESUMED
        yield Case(kind, name, make, states, message, most_s=900.0, resumed=resumed)


def _download(name: str, body: Body | None, announced: int | None, headers: dict[str, str], place: Place) -> Made:
    path = "/" + name.replace(" ", "-") + ".mp3"
    if body is None:
        body = good_file(place, "mp3")
        announced = 2 * len(body)
    place.site.put(path, HostileAnswer(body, headers=headers, announced=announced))
    return _served(f"{path}.xml", _feed(_item(path, published=f"<title>{name}</title><guid>{name}</guid>")), place)
