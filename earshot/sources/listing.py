"""Listing: finds which videos a source has. Fetches no media and does not decide which videos are wanted
(earshot/sources/selection.py).

`list_all()` returns everything a source has; `poll()` reads just enough to see whether anything is new.

| source | poll | all |
|---|---|---|
| YouTube channel | its feed, with ETag: the newest 15 | its uploads playlist, flat |
| feed | with ETag, all pages | the same |
| folder, file | a scan; unchanged files are not read | the same |
| other pages (playlists, sites) | the head of yt-dlp's flat list | yt-dlp's flat list |

A flat list says little about each video. `fetch_details()` reads one video's own page for the rest: date, length, kind. An
unknown date stays None.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.utils import DownloadError, UnsupportedError, unsmuggle_url

from earshot.common.errors import Blocked, LiveOrUpcoming, NotAFeed, SourceBlocked, SourceUnusable, VideoError
from earshot.config.sources_file import Kind, Source
from earshot.sources.kinds import youtube
from earshot.sources.kinds.feeds import MAX_TEXT, NOTHING_KNOWN, read_feed
from earshot.sources.kinds.folders import KnownFile, list_folder
from earshot.sources.media.decoding import media_length_s
from earshot.sources.net.bounded_bodies import reading_pages
from earshot.sources.net.session import session
from earshot.sources.net.ytdlp_errors import OF_A_SOURCE, cause_of, translate
from earshot.storage.catalog.entries import Entry, Listing, Live, Validators, generic_key, is_url, slug

# Entries to read of a page without a feed: as many as a busy source may add between two polls.
RECENT = "1:50"
# A file of a watched folder counts as finished when it has not changed for so long.
STABLE_S = 60.0

_LIVE = {
    "not_live": Live.NO,
    "is_upcoming": Live.UPCOMING,
    "is_live": Live.ON_AIR,
    "post_live": Live.ON_AIR,  # over, but not archived yet
    "was_live": Live.WAS_LIVE,
}
_MEMBERS_ONLY = {"subscriber_only": True, "premium_only": True, "public": False, "unlisted": False}


def list_all(source: Source) -> Listing:
    """Everything the source has. Raises SourceUnusable with the reason if it cannot be listed."""
    if not is_url(source.address):
        return list_folder(source, {})
    if youtube.is_channel(source.address):
        return _flat(source, youtube.feed_of(_channel(source)).uploads)
    listing = _feed_or_page(source, NOTHING_KNOWN)
    assert listing is not None  # no validators were given
    if not listing.entries:
        raise _nothing_listed(source)
    return listing


def poll(source: Source, validators: Validators, files: Mapping[str, KnownFile]) -> Listing | None:
    """The part of the source's list where new videos appear; None if the source says that nothing has changed.

    `files` are a folder's files of the last poll, by path. Raises SourceUnusable.
    """
    if not is_url(source.address):
        return list_folder(source, files, STABLE_S)
    if youtube.is_channel(source.address):
        return read_feed(youtube.feed_of(_channel(source)).feed, source, validators)
    return _feed_or_page(source, validators, playlist_items=RECENT)


def fetch_details(entry: Entry, source: Source) -> Entry:
    """The entry, completed from the video's own page or file. Raises a VideoError."""
    if not is_url(entry.url):
        return replace(entry, duration_s=media_length_s(Path(entry.url)))
    try:
        with _fetching(source) as downloader:
            info: Any = downloader.extract_info(entry.url, download=False, process=False)
    except DownloadError as error:
        explained = translate(error, entry.url, source)
        if isinstance(explained, LiveOrUpcoming):
            starts_at = datetime.now(UTC) + timedelta(seconds=explained.starts_in_s) if explained.starts_in_s else None
            return replace(entry, live=Live.UPCOMING, starts_at=starts_at)
        raise explained from None
    page = _entry(info or {}, source, entry.video_id)
    of_page = {name: value for name, value in vars(page).items() if value is not None}
    of_listing = {name: value for name, value in vars(entry).items() if value is not None}
    return replace(entry, **(of_page | of_listing | {"live": page.live or entry.live}))  # the page knows if a broadcast is over


# --- feeds ---------------------------------------------------------------------------------------------------------------


def _feed_or_page(source: Source, validators: Validators, **options: Any) -> Listing | None:
    """The feed at the source's address, else yt-dlp's listing of the page with these options. None: unchanged."""
    if _may_be_feed(source):
        try:
            return read_feed(source.address, source, validators)
        except NotAFeed:
            if source.kind == Kind.FEED:
                raise
    return _flat(source, source.address, **options)


def _nothing_listed(source: Source) -> SourceUnusable:
    return SourceUnusable(f"{source.name}: there is nothing at this address.", "Check the address.")


def _may_be_feed(source: Source) -> bool:
    """Whether yt-dlp has only its generic extractor for the address: a feed, media, or a page with media."""
    if source.kind == Kind.FEED:
        return True
    with session(source) as opened:
        downloader: Any = opened
        return next(name for name, extractor in downloader._ies.items() if extractor.suitable(source.address)) == "Generic"


# --- yt-dlp --------------------------------------------------------------------------------------------------------------


@cache
def _channel(source: Source) -> str:
    """The id of a YouTube channel. If the address does not contain it, YouTube is asked once per process."""
    channel = youtube.channel_id(source.address) or _extracted(source, source.address, playlist_items="0").get("channel_id")
    if not channel:
        raise SourceUnusable(
            f"{source.name}: YouTube does not say which channel this is.", "Use the channel's /channel/UC... address."
        )
    return channel


def _flat(source: Source, address: str, **options: Any) -> Listing:
    result = _extracted(source, address, **options)
    entries = _flatten(result)
    if not entries:
        raise _nothing_listed(source)
    total = result.get("playlist_count") if "entries" in result else 1
    return Listing(
        entries=tuple(_entry(entry, source) for entry in entries),
        complete=not options or total == len(entries),
        total=total,
    )


@contextmanager
def _fetching(source: Source, **options: Any) -> Iterator[Any]:
    """The session, with Last-Modified removed from responses, because yt-dlp would use it as the upload date."""
    with session(source, **options) as opened, reading_pages():
        downloader: Any = opened
        fetch = downloader.urlopen

        def urlopen(request: Any) -> Any:
            response = fetch(request)
            del response.headers["Last-Modified"]
            return response

        downloader.urlopen = urlopen
        try:
            yield downloader
        finally:
            del downloader.urlopen


def _extracted(source: Source, address: str, **options: Any) -> dict[str, Any]:
    try:
        with _fetching(source, extract_flat=True, **options) as downloader:
            result: Any = downloader.extract_info(address, download=False, process=True)
    except DownloadError as error:
        raise _unusable(error, source, address) from None
    except VideoError as error:
        raise SourceUnusable(f"{source.name}: {error.message}", error.remedy) from None
    return result or {}


def _unusable(error: DownloadError, source: Source, address: str) -> SourceUnusable:
    if cause_of(error, UnsupportedError):
        return SourceUnusable(
            f"{source.name}: there is no video, playlist or feed at this address (it is not media, and not valid XML).",
            "Open it in a browser to see what it is.",
        )
    explained = translate(error, address, source)
    if isinstance(explained, Blocked):
        return SourceBlocked(f"{source.name}: {explained.message}", explained.remedy, explained.pause_s)
    return SourceUnusable(f"{source.name}: {explained.message}", OF_A_SOURCE.get(explained.remedy, explained.remedy))


def _flatten(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The videos of a result: itself, or those of a playlist and of the playlists in it (a channel's tabs)."""
    if "entries" not in result:
        return [result] if result else []
    channel = result.get("channel") or result.get("uploader") or result.get("title")
    entries = [entry for entry in result["entries"] if entry]
    return [{"channel": channel, **nested} for entry in entries for nested in _flatten(entry)]


def _entry(info: dict[str, Any], source: Source, video_id: str = "") -> Entry:
    url = info.get("webpage_url") or info.get("original_url") or info.get("url") or ""
    address, smuggled = unsmuggle_url(url, default={})
    extractor = (info.get("ie_key") or info.get("extractor_key") or "Generic").lower()
    on_youtube = extractor == "youtube"
    return Entry(
        video_id=video_id or _key(info, extractor, address, smuggled.get("force_videoid"), source),
        url=youtube.watch_url(info["id"]) if on_youtube else address,
        title=(info.get("title") or Path(urlsplit(address).path).stem or address)[:MAX_TEXT],
        channel=info.get("channel") or info.get("uploader"),
        published_at=_published(info),
        duration_s=info.get("duration"),
        live=_LIVE.get(info.get("live_status") or ""),
        starts_at=_utc(info.get("release_timestamp")) if info.get("live_status") == "is_upcoming" else None,
        short=_short(info) if on_youtube else None,
        members_only=_MEMBERS_ONLY.get(info.get("availability") or ""),
    )


def _key(info: dict[str, Any], extractor: str, address: str, guid: str | None, source: Source) -> str:
    if extractor == "youtube":
        return info["id"]
    if extractor == "html5mediaembed":  # its ids are the page's name and a number
        return generic_key(None, f"{address}#{info['id']}", source.address)
    if extractor != "generic":
        return f"{extractor}-{slug(info['id'])}"
    return generic_key(guid, address, source.address)


def _published(info: dict[str, Any]) -> datetime | None:
    day = info.get("upload_date")
    return _utc(info.get("timestamp")) or (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) if day else None)


def _utc(timestamp: float | None) -> datetime | None:
    return datetime.fromtimestamp(timestamp, UTC) if timestamp else None


def _short(info: dict[str, Any]) -> bool | None:
    if "/shorts/" in (info.get("url") or "") or info.get("media_type") == "short":
        return True
    return False if info.get("media_type") else None
