"""Sessions: yt-dlp set up for one source (cookies, proxy, rate) and reused from one request to the next.

Listings, metadata, feeds and media of a source all use its one session, so that they share connections and cookies and the site
sees one visitor. A session belongs to the thread that opened it, and ends with it. yt-dlp writes cookies back when it ends, so
it gets a copy in memory; the user's file is only read.

earshot/sources/net/conditional_get.py (feeds), earshot/sources/listing.py and earshot/sources/media/downloads.py send the
requests; earshot/sources/net/ssrf_guard.py restricts where they may lead.
"""

import io
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yt_dlp
import yt_dlp.version

from earshot.common.errors import Misconfigured
from earshot.config.sources_file import Source
from earshot.sources.net.bounded_bodies import bound_body, bound_page
from earshot.sources.net.ssrf_guard import restrict_connections

TIMEOUT_S = 20.0


class _Silent:
    """yt-dlp's logger, which drops messages: yt-dlp raises what matters."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


class _Downloader(yt_dlp.YoutubeDL):
    """yt-dlp with bounds for what it reads."""

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        director: Any = super().build_request_director(handlers, preferences)
        handler = director.handlers["Requests"]
        create = handler._create_instance

        def create_bounded(**options: Any) -> Any:
            opened = create(**options)
            opened.hooks["response"].append(bound_body)
            return opened

        handler._create_instance = create_bounded
        return director

    def process_ie_result(self, ie_result: Any, download: bool = True, extra_info: Any = None) -> Any:
        bound_page(ie_result)
        return super().process_ie_result(ie_result, download, extra_info)


@dataclass
class _Kept:
    """A session, and whether yt-dlp's extractors are loaded, which takes longer than most requests."""

    downloader: yt_dlp.YoutubeDL
    extracts: bool = False


def _close(sessions: dict[Source, _Kept]) -> None:
    for kept in sessions.values():
        kept.downloader.close()


class _Opened:
    """The sessions of one thread by source, closed when the thread ends.

    One that is not closed stays for ever, with a megabyte of certificates: yt-dlp's handler of urllib3's log refers to it.
    """

    def __init__(self) -> None:
        self.sessions: dict[Source, _Kept] = {}
        weakref.finalize(self, _close, self.sessions).atexit = False


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.opened = _Opened()


_kept = _OfThread()


@contextmanager
def session(source: Source, **options: Any) -> Iterator[yt_dlp.YoutubeDL]:
    """The session of this source with these further yt-dlp options for the block, restricted to the allowed addresses.

    Raises Misconfigured if the cookies file cannot be read.
    """
    kept = _session(source)
    if not kept.extracts:
        kept.downloader.add_default_info_extractors()
        kept.extracts = True
    parameters: Any = kept.downloader.params
    before = dict(parameters)
    parameters.update(options)
    try:
        with restrict_connections(source):
            yield kept.downloader
    finally:
        parameters.clear()
        parameters.update(before)


@contextmanager
def network(source: Source) -> Iterator[yt_dlp.YoutubeDL]:
    """The same session without extractors, for `urlopen()` only."""
    with restrict_connections(source):
        yield _session(source).downloader


def _session(source: Source) -> _Kept:
    opened = _kept.opened.sessions
    if source not in opened:
        opened[source] = _Kept(_open(source))
    return opened[source]


def downloader_version() -> str:
    return f"yt-dlp {yt_dlp.version.__version__}"


def _open(source: Source) -> yt_dlp.YoutubeDL:
    options: Any = {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "logger": _Silent(),
        "socket_timeout": TIMEOUT_S,
        "proxy": source.proxy,
        "ratelimit": source.rate,
        "cookiefile": _copy(source.cookies) if source.cookies else None,
    }
    return _Downloader(options, auto_init=False)


def _copy(cookies: Path) -> io.StringIO:
    try:
        return io.StringIO(cookies.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"The cookies file {cookies} cannot be read: {error}.", "Correct `cookies` of the source."
        ) from error
