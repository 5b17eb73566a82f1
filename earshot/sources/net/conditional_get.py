"""Answers: what a site says to one conditional GET of its source's session, within limits of time and size.

Errors name the source, not the address (it may hold a secret), and carry no cause: the libraries' own errors quote what
was asked. What an answer means is up to who asks (earshot/sources/feeds.py). Media is not fetched this way: see downloads.py.

A time limit holds between the pieces in which a body comes; connecting, and the lines of a header, are only bound by the
session's timeout for each.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import IncompleteRead as CutShort
from typing import Any

import urllib3.exceptions
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, RequestError

from earshot.common.errors import SourceBlocked, SourceUnusable, error_chain
from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Source
from earshot.sources.net.session import TIMEOUT_S, network
from earshot.sources.net.ssrf_guard import REMEDY, find_refusal
from earshot.storage.catalog.entries import Validators

MAX_BYTES = 64 * 2**20
# A site that asks for longer is asked again after this: a wrong date must not silence a source for good.
MAX_PAUSE_S = 7 * 86_400.0

_PIECE = 1 << 16
_HEAD = 64  # bytes that tell what a body is

CHECK = "Check the address, and try again later."
_REMEDIES = {
    401: "It asks for a login: give the source `cookies`, or the address with its user and password or token.",
    403: "It refuses this machine or asks for a login: give the source `cookies`, or look whether the address has changed.",
    404: "Check the address: nothing lies there.",
    410: "It was taken down for good: remove the source, or name its new address.",
}


@dataclass(frozen=True)
class Response:
    """A body, whole and decompressed, and where it came from after all redirects."""

    body: bytes
    url: str
    validators: Validators


def get(url: str, source: Source, validators: Validators, until: float, judge: Callable[[bytes], None]) -> Response | None:
    """What lies at this URL; None where it has not changed since it gave these validators.

    `until` is a moment of time.monotonic(). `judge` sees the beginning of the body before the rest is read: what it raises
    ends the reading. Raises SourceBlocked where the site asks to be left alone, else SourceUnusable.
    """
    try:
        with network(source) as downloader:
            return _response(downloader, _request(url, validators, until), source, until, judge)
    except HTTPError as error:
        error.close()
        if error.status == HTTPStatus.NOT_MODIFIED and validators != Validators():
            return None
        raise _refused(error, source) from None
    except (RequestError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise _broken(error, source, until) from None


def retry_after_s(told: str | None, now: datetime) -> float | None:
    """Seconds that a header Retry-After asks for: a number of them, or a date (RFC 9110, section 10.2.3)."""
    text = (told or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_PAUSE_S)
    try:
        at = parsedate_to_datetime(text)
        pause_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(pause_s, 0.0), MAX_PAUSE_S)


def _request(url: str, validators: Validators, until: float) -> Request:
    told = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    timeout_s = max(0.1, min(TIMEOUT_S, until - time.monotonic()))
    return Request(url, headers={name: value for name, value in told.items() if value}, extensions={"timeout": timeout_s})


def _response(downloader: Any, request: Request, source: Source, until: float, judge: Callable[[bytes], None]) -> Response:
    with closing(downloader.urlopen(request)) as response:
        body = _body(response, source, until, judge)
        given = Validators(response.get_header("ETag"), response.get_header("Last-Modified"))
        return Response(body, response.url, given)


def _body(response: Any, source: Source, until: float, judge: Callable[[bytes], None]) -> bytes:
    body = bytearray()
    for piece in _pieces(response):
        unjudged = len(body) < _HEAD
        body += piece
        if unjudged and len(body) >= _HEAD:
            judge(bytes(body))
        if len(body) > MAX_BYTES:
            raise SourceUnusable(f"{source.name}: it is over {MAX_BYTES >> 20} MB.", "No feed is so large: check the address.")
        if time.monotonic() > until:
            raise _too_slow(source)
    return bytes(body)


def _pieces(response: Any) -> Iterator[bytes]:
    """The body as it comes in. yt-dlp's own read() would wait for a whole piece, however slowly its bytes come."""
    while piece := response.fp.read1(_PIECE, decode_content=True):
        yield piece


# --- errors --------------------------------------------------------------------------------------------------------------


def _refused(error: HTTPError, source: Source) -> SourceUnusable:
    """The error that this status is."""
    pause_s = retry_after_s(error.response.get_header("Retry-After"), datetime.now(UTC))
    message = f"{source.name}: the site answers {error.status} ({without_secrets(str(error.reason or 'no reason'))})."
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or (error.status == HTTPStatus.SERVICE_UNAVAILABLE and pause_s is not None):
        return SourceBlocked(message, "It asks to be left alone for a while: the source is asked again later.", pause_s)
    if error.redirect_loop:
        return SourceUnusable(f"{source.name}: its redirects never end.", "Open it in a browser to find its address.")
    return SourceUnusable(message, _REMEDIES.get(error.status, CHECK))


def _broken(error: Exception, source: Source, until: float) -> SourceUnusable:
    """The error for an answer that did not come, or not to its end."""
    if target := find_refusal(error):
        return SourceUnusable(f"{source.name}: it leads to {target}, which is not a public address.", REMEDY)
    chain = list(error_chain(error))
    if any(isinstance(link, CutShort | IncompleteRead) for link in chain):
        return cut_short(source)
    if time.monotonic() > until:
        return _too_slow(source)
    reason = next((link.strerror for link in reversed(chain) if isinstance(link, OSError) and link.strerror), str(chain[-1]))
    known = [source.proxy] if source.proxy else []
    return SourceUnusable(f"{source.name}: it cannot be read: {without_secrets(reason, also=known)}.", CHECK)


def cut_short(source: Source) -> SourceUnusable:
    return SourceUnusable(
        f"{source.name}: its feed is cut short.", "Nothing is taken from it until it is whole: it is read again."
    )


def _too_slow(source: Source) -> SourceUnusable:
    return SourceUnusable(f"{source.name}: the site is too slow.", "It is asked again later.")
