"""Sends one conditional GET through a source's session, within limits of time and size.

Errors name the source, not the URL (it may contain a secret), and have no cause, because the libraries' own errors quote the
request. The caller interprets the body (earshot/sources/kinds/feeds.py). earshot/sources/media/downloads.py fetches media.

The time limit is checked after each piece of the body; connecting and each header line have only the session's timeout.
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
# The longest pause a site can ask for: a wrong date must not silence a source for ever.
MAX_PAUSE_S = 7 * 86_400.0

_PIECE = 1 << 16
_HEAD = 64  # bytes, enough to recognise the kind of a body

CHECK = "Check the address, and try again later."
_REMEDIES = {
    401: "It requires a login: give the source `cookies`, or put the user and password or token into the address.",
    403: "It refuses this machine or requires a login: give the source `cookies`, or check whether its address has changed.",
    404: "Nothing is at this address: check it.",
    410: "It was removed for good: delete the source, or give its new address.",
}


@dataclass(frozen=True)
class Response:
    """A complete, decompressed body, and the URL it came from after all redirects."""

    body: bytes
    url: str
    validators: Validators


def get(
    url: str,
    source: Source,
    validators: Validators,
    until: float,
    judge: Callable[[bytes], None],
    max_bytes: int = MAX_BYTES,
) -> Response | None:
    """The response for this URL; None if it has not changed since these validators.

    `until` is a deadline of time.monotonic(). `judge` gets the first bytes of the body; if it raises, the rest is not read.
    A body of more than `max_bytes` is refused.
    Raises SourceBlocked if the site asks for a pause, else SourceUnusable.
    """
    try:
        with network(source) as downloader:
            return _response(downloader, _request(url, validators, until), source, until, judge, max_bytes)
    except HTTPError as error:
        error.close()
        if error.status == HTTPStatus.NOT_MODIFIED and validators != Validators():
            return None
        raise _refused(error, source) from None
    except (RequestError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise _broken(error, source, until) from None


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date (RFC 9110, section 10.2.3); None if it is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_PAUSE_S)
    try:
        at = parsedate_to_datetime(text)
        pause_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(pause_s, 0.0), MAX_PAUSE_S)


def _request(url: str, validators: Validators, until: float) -> Request:
    conditions = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    timeout_s = max(0.1, min(TIMEOUT_S, until - time.monotonic()))
    return Request(url, headers={name: value for name, value in conditions.items() if value}, extensions={"timeout": timeout_s})


def _response(
    downloader: Any, request: Request, source: Source, until: float, judge: Callable[[bytes], None], max_bytes: int
) -> Response:
    with closing(downloader.urlopen(request)) as response:
        body = _body(response, source, until, judge, max_bytes)
        validators = Validators(response.get_header("ETag"), response.get_header("Last-Modified"))
        return Response(body, response.url, validators)


def _body(response: Any, source: Source, until: float, judge: Callable[[bytes], None], max_bytes: int) -> bytes:
    body = bytearray()
    for piece in _pieces(response):
        unjudged = len(body) < _HEAD
        body += piece
        if unjudged and len(body) >= _HEAD:
            judge(bytes(body))
        if len(body) > max_bytes:
            raise SourceUnusable(
                f"{source.name}: it is over {max_bytes >> 20} MB.", "Nothing of its kind is that large: check the address."
            )
        if time.monotonic() > until:
            raise _too_slow(source)
    return bytes(body)


def _pieces(response: Any) -> Iterator[bytes]:
    """The body as it arrives. yt-dlp's own read() would wait for a full piece, however slowly its bytes arrive."""
    while piece := response.fp.read1(_PIECE, decode_content=True):
        yield piece


# --- errors --------------------------------------------------------------------------------------------------------------


def _refused(error: HTTPError, source: Source) -> SourceUnusable:
    """The error for this HTTP status."""
    pause_s = retry_after_s(error.response.get_header("Retry-After"), datetime.now(UTC))
    message = f"{source.name}: the site answers {error.status} ({without_secrets(str(error.reason or 'no reason'))})."
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or (error.status == HTTPStatus.SERVICE_UNAVAILABLE and pause_s is not None):
        return SourceBlocked(message, "The site asks for a pause: the source is polled again later.", pause_s)
    if error.redirect_loop:
        return SourceUnusable(f"{source.name}: its redirects never end.", "Open it in a browser to find its address.")
    return SourceUnusable(message, _REMEDIES.get(error.status, CHECK))


def _broken(error: Exception, source: Source, until: float) -> SourceUnusable:
    """The error for a response that failed or broke off."""
    if target := find_refusal(error):
        return SourceUnusable(f"{source.name}: it leads to {target}, which is not a public address.", REMEDY)
    chain = list(error_chain(error))
    if any(isinstance(link, CutShort | IncompleteRead) for link in chain):
        return cut_short(source)
    if time.monotonic() > until:
        return _too_slow(source)
    reason = next((link.strerror for link in reversed(chain) if isinstance(link, OSError) and link.strerror), str(chain[-1]))
    secrets = [source.proxy] if source.proxy else []
    return SourceUnusable(f"{source.name}: it cannot be read: {without_secrets(reason, also=secrets)}.", CHECK)


def cut_short(source: Source) -> SourceUnusable:
    return SourceUnusable(
        f"{source.name}: its feed is cut short.", "Its entries are used once it is complete; it is polled again later."
    )


def _too_slow(source: Source) -> SourceUnusable:
    return SourceUnusable(f"{source.name}: the site is too slow.", "It is polled again later.")
