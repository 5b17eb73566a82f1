"""Feeds: reads RSS, Atom and RDF as podcasts publish them, and YouTube's feeds.

`read_feed()` sends the validators of the last poll, so that an unchanged feed costs nothing, and follows the pages of a paged
feed (RFC 5005, section 3). Requests go through the source's session (earshot/sources/net/conditional_get.py); feedparser only
parses. XML that is not well-formed is accepted. A truncated feed is refused, and so is a feed whose later page fails:
otherwise its unread entries would later pass for known ones.

Keys (`generic_key()`) are the same as for feeds that yt-dlp reads: by guid, on the host that the user named. A date, a length
or an address that cannot be parsed is None or omitted, never guessed. Media is not fetched here.
"""

import html
import io
import math
import mimetypes
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.sax import SAXException

import feedparser
from yt_dlp.utils import parse_duration

from earshot.common.errors import NotAFeed, SourceUnusable
from earshot.config.sources_file import Source
from earshot.sources.captions.choice import choose_file, format_of, language_of
from earshot.sources.captions.of_feeds import Attributes, transcripts_of
from earshot.sources.kinds.feed_body import description, is_feed, is_whole, may_be_feed, repaired
from earshot.sources.kinds.youtube import watch_url
from earshot.sources.net.conditional_get import CHECK, Response, cut_short, get
from earshot.storage.catalog.entries import CaptionFile, Entry, Listing, Validators, generic_key

DEADLINE_S = 60.0  # for all pages together
MAX_PAGES = 200
MAX_TEXT = 1000  # characters of a title or a name
MAX_ADDRESS = 8000  # characters of an address: servers take no more
NOTHING_KNOWN = Validators()

# Go writes the year 0001 for a missing date; email.utils would read it as 2001.
_BLANK_DATE = re.compile(r"^0\d{3}-|[A-Za-z]{3} 0\d{3}\b")
_YOUTUBE = "http://www.youtube.com/xml/schemas/2015"
_MEDIA = ("audio/", "video/")
_UNSTATED = {"", "application/octet-stream"}
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True)
class _Page:
    """One page of a feed. `of_youtube`: the feed holds only the newest videos."""

    entries: tuple[Entry, ...]
    next_url: str | None
    of_youtube: bool


def read_feed(
    url: str, source: Source, validators: Validators = NOTHING_KNOWN, deadline_s: float = DEADLINE_S
) -> Listing | None:
    """The entries of all pages of a feed, in the feed's order; None if the feed has not changed.

    The validators of the listing are those of the first page. Raises NotAFeed for anything else at this URL, SourceBlocked if
    the site asks for a pause, and SourceUnusable if the feed cannot be read to its end.
    """
    until = time.monotonic() + deadline_s
    first = get(url, source, validators, until, lambda head: _refuse_other(head, source))
    if first is None:
        return None
    pages = list(_pages(url, first, source, until))
    entries: dict[str, Entry] = {}
    for entry in (entry for page in pages for entry in page.entries):
        entries.setdefault(entry.video_id, entry)
    followed = pages[-1].next_url is None or len(pages) < MAX_PAGES
    return Listing(tuple(entries.values()), followed and not pages[0].of_youtube, first.validators)


def _pages(url: str, first: Response, source: Source, until: float) -> Iterator[_Page]:
    seen = {url, first.url}
    page = _page(first, source)
    yield page
    for number in range(2, MAX_PAGES + 1):
        if page.next_url is None or page.next_url in seen:
            return
        seen.add(page.next_url)
        page = _later_page(page.next_url, number, source, until)
        yield page


def _later_page(url: str, number: int, source: Source, until: float) -> _Page:
    try:
        answer = get(url, source, NOTHING_KNOWN, until, lambda head: _refuse_other(head, source))
        assert answer is not None  # no validators were given
        return _page(answer, source)
    except NotAFeed as error:
        raise SourceUnusable(f"{error.message} That is page {number} of the feed.", CHECK) from None


# --- one page ------------------------------------------------------------------------------------------------------------


def _page(answer: Response, source: Source) -> _Page:
    if not is_feed(answer.body):
        raise NotAFeed(
            f"{source.name}: {description(answer.body)}, not a feed.", "Open it in a browser to find the feed's address."
        )
    if not is_whole(answer.body):
        raise cut_short(source)
    # A stream: feedparser would open a string as a file name or a URL.
    body = repaired(answer.body)
    stream: Any = io.BytesIO(body)
    try:
        parsed: Any = feedparser.parse(stream, sanitize_html=False, resolve_relative_uris=False)
    except (ValueError, OverflowError, AssertionError) as error:  # from its lenient parser, on impossible characters
        raise SourceUnusable(f"{source.name}: its feed cannot be parsed ({type(error).__name__}).", CHECK) from None
    following = next((link.get("href") for link in parsed.feed.get("links", []) if link.get("rel") == "next"), None)
    spoken = source.language or language_of(parsed.feed.get("language") or "")
    offered = transcripts_of(body, len(parsed.entries))
    entries = [_entry(item, parsed, answer.url, source) for item in parsed.entries]
    return _Page(
        entries=tuple(
            replace(entry, captions=_captions(transcripts, spoken, answer.url))
            for entry, transcripts in zip(entries, offered, strict=True)
            if entry
        ),
        next_url=_address(following, answer.url),
        of_youtube=_YOUTUBE in parsed.namespaces.values(),
    )


def _refuse_other(head: bytes, source: Source) -> None:
    """Raise NotAFeed if the beginning shows that this is not a feed: the rest may be a whole film."""
    if not may_be_feed(head):
        raise NotAFeed(f"{source.name}: {description(head)}, not a feed.", "Open it in a browser to see what it is.")


# --- one entry -----------------------------------------------------------------------------------------------------------


def _entry(item: Any, parsed: Any, base: str, source: Source) -> Entry | None:
    """The entry for an item; None if the item has neither media nor a page."""
    links = item.get("links", [])
    channel = _text(parsed.feed.get("title")) or None
    published = published_at(item.get("published"))
    video_id = item.get("yt_videoid") or ""
    if _YOUTUBE_ID.fullmatch(video_id):
        short = "/shorts/" in (_link(links, base) or "")
        author = _text(item.get("author")) or channel
        return Entry(video_id, watch_url(video_id), _title(item, video_id), author, published, short=short or None)
    address = _media(links, base) or _link(links, base)
    if address is None:
        return None
    key = generic_key(_guid(item, parsed), address, source.address)
    title = _title(item, Path(urlsplit(address).path).stem or address)
    return Entry(key, address, title, channel, published, duration_s(item.get("itunes_duration")))


def _captions(offered: list[Attributes], spoken: str, base: str) -> CaptionFile | None:
    """The best of an item's transcripts. One that names no language is in that of the feed."""
    files = [
        (CaptionFile(address, form, ""), transcript.get("language", ""))
        for transcript in offered
        if (address := _address(transcript.get("url"), base)) and (form := format_of(transcript.get("type", ""), address))
    ]
    return choose_file([file for file, _ in files], [tag for _, tag in files], spoken)


def _title(item: Any, otherwise: str) -> str:
    return _text(item.get("title")) or otherwise


def _guid(item: Any, parsed: Any) -> str | None:
    guid = item.get("id")
    # feedparser's lenient parser leaves references in the guid, its strict parser resolves them.
    return html.unescape(guid) if guid and isinstance(parsed.get("bozo_exception"), SAXException) else guid


def _media(links: list[Any], base: str) -> str | None:
    """The address of the first enclosure declared as audio or video, else of the first that may be."""
    enclosures = [link for link in links if link.get("rel") == "enclosure" and _address(link.get("href"), base)]
    ranked = sorted((rank, number) for number, link in enumerate(enclosures) if (rank := _rank(link)) is not None)
    return _address(enclosures[ranked[0][1]]["href"], base) if ranked else None


def _rank(enclosure: Any) -> int | None:
    """0: declared as audio or video; 1: audio or video by its file name; 2: no type given; None: something else."""
    declared = (enclosure.get("type") or "").lower()
    if declared.startswith(_MEDIA):
        return 0
    by_name = mimetypes.guess_type(urlsplit(enclosure["href"]).path)[0] or ""
    if by_name.startswith(_MEDIA):
        return 1
    return 2 if {declared, by_name} <= _UNSTATED else None


def _link(links: list[Any], base: str) -> str | None:
    """The address of the item's web page."""
    addresses = (_address(link.get("href"), base) for link in links if link.get("rel") == "alternate")
    return next((address for address in addresses if address), None)


def _address(href: str | None, base: str) -> str | None:
    """`href` as an absolute URL, resolved against `base`; None if it is not http or https, or longer than any is."""
    try:
        address = (href or "").strip()
        if len(address) > MAX_ADDRESS:
            return None
        absolute = address if not address or urlsplit(address).scheme else urljoin(base, address)
        parts = urlsplit(absolute)
        return absolute if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _text(markup: str | None) -> str:
    """The text on one line, its first MAX_TEXT characters: a title may have 50 MB, and is shown in every list."""
    text = html.unescape((markup or "")[: 10 * MAX_TEXT])
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())[:MAX_TEXT].rstrip()


def published_at(date: str | None) -> datetime | None:
    """Parse a date as RSS (RFC 822) or Atom (ISO 8601) write it; returns it in UTC, or None if it is not a date.

    A date without a zone is read as UTC, a date without a time as the start of that day.
    """
    text = (date or "").strip()
    if _BLANK_DATE.search(text):
        return None
    try:
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def duration_s(duration: str | None) -> float | None:
    """Seconds of `h:mm:ss`, `mm:ss` or a plain number; None for anything else, and for 0, which stands for "unknown"."""
    try:
        seconds = parse_duration(duration)
    except (ValueError, OverflowError):
        return None
    return float(seconds) if seconds and math.isfinite(seconds) else None
