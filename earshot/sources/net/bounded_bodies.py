"""Bounds what responses may take: a hook of the session's HTTP client, since yt-dlp reads whole pages, and media to their end.

A page may have MOST_PAGE_BYTES and PAGE_S seconds, within `reading_pages()`, and MOST_ON_A_PAGE videos. Media may be of any
length that the site announces (earshot/sources/media/downloads.py compares that with the disk), but has an end where it
announces none, and arrives at some speed. The body of a redirect is not read. Feeds have limits of their own
(earshot/sources/net/conditional_get.py).

Not covered: how slowly the lines of a response's head arrive.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from earshot.common.errors import InvalidMedia, OverLimit, Retryable

MOST_PAGE_BYTES = 64 << 20
PAGE_S = 60.0
# yt-dlp takes 7 ms for each video that a page describes, and compares all with each other: 20 s more for 40,000.
MOST_ON_A_PAGE = 5000
# Twelve hours of uncompressed sound, as on a CD.
MOST_UNANNOUNCED_BYTES = 8_000_000_000
# Speech takes 1 to 16 kB a second.
LEAST_RATE = 500.0
SLOW_S = 300.0

_pages: ContextVar[bool] = ContextVar("earshot_reading_pages", default=False)


@contextmanager
def reading_pages() -> Iterator[None]:
    """Within the block and in this thread, responses are pages, not media."""
    token = _pages.set(True)
    try:
        yield
    finally:
        _pages.reset(token)


def bound_page(result: Mapping[str, Any]) -> None:
    """Bound what yt-dlp found on a page of a site that it does not know. Raises OverLimit. Playlists of sites may be longer."""
    entries = result.get("entries")
    if result.get("extractor_key") == "Generic" and isinstance(entries, list) and len(entries) > MOST_ON_A_PAGE:
        raise OverLimit(
            f"A page has {len(entries)} videos, and {MOST_ON_A_PAGE} are the most.",
            "Use the site's feed, or the addresses of the videos that you want.",
        )


def bound_body(response: Any, *_: Any, **__: Any) -> None:
    """Bound the body of a response of `requests`, as a hook of its session."""
    if response.is_redirect:
        response.raw.close()
        return
    announced = response.headers.get("Content-Length") is not None
    response.raw.read = _Body(response.raw.read1, announced, _pages.get()).read


@dataclass
class _Body:
    """A body that is being read, in whatever pieces arrive."""

    read1: Callable[..., bytes]
    announced: bool
    is_page: bool
    bytes_read: int = 0
    started: float = field(default_factory=time.monotonic)

    def read(self, amt: int | None = None, decode_content: bool | None = None, **_: Any) -> bytes:
        """As urllib3's `read()`, but at most `amt` bytes. Raises InvalidMedia, OverLimit or Retryable."""
        piece = self.read1(amt, decode_content=decode_content)
        self.bytes_read += len(piece)
        if self.is_page:
            self._judge_page()
        else:
            self._judge_media()
        return piece

    def _judge_page(self) -> None:
        if self.bytes_read > MOST_PAGE_BYTES:
            raise InvalidMedia(
                f"A page is over {MOST_PAGE_BYTES >> 20} MB.", "Open its address in a browser to see what it is."
            )
        if time.monotonic() - self.started > PAGE_S:
            raise Retryable(f"A page did not arrive within {PAGE_S:.0f} s: the site is too slow.", "It is tried again later.")

    def _judge_media(self) -> None:
        if not self.announced and self.bytes_read > MOST_UNANNOUNCED_BYTES:
            most = f"{MOST_UNANNOUNCED_BYTES / 1e9:.0f} GB"
            raise OverLimit(
                f"The media does not end: the site announces no length, and {most} have arrived.", "Get the file yourself."
            )
        passed = time.monotonic() - self.started
        if passed > SLOW_S and self.bytes_read < LEAST_RATE * passed:
            raise Retryable(
                f"The media arrives too slowly: {self.bytes_read} bytes in {passed:.0f} s.", "It is retried automatically."
            )
