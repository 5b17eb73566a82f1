"""What a source lists: `Entry`s, before anything is decided about them.

Every kind of listing (earshot/sources/listing.py) gives the same `Entry`. What a listing does not tell is None: a date, a
length or a kind is never guessed; where a decision needs it, it is asked of the video's own page (earshot/sources/listing.py,
`examine()`). Which entries are wanted is decided in earshot/sources/selection.py.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit


class Live(StrEnum):
    """Whether a video is or was a broadcast."""

    NO = "no"
    UPCOMING = "upcoming"
    ON_AIR = "on_air"
    WAS_LIVE = "was_live"


@dataclass(frozen=True)
class Entry:
    """One video as its source lists it. `url` is an http(s) URL or the absolute path of a local file."""

    video_id: str
    url: str
    title: str
    channel: str | None = None
    published_at: datetime | None = None
    duration_s: float | None = None
    live: Live | None = None
    starts_at: datetime | None = None  # of what is upcoming
    short: bool | None = None
    members_only: bool | None = None
    fingerprint: str | None = None  # of a local file: what tells without reading it that it has not changed


@dataclass(frozen=True)
class Validators:
    """What a server gives with an answer so that it need not give the same one twice (RFC 9110, section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a source answered. `complete`: every video it has is in it; else only its newest ones, or those of its head.

    `total` is the number of videos that the source says it has, where it says.
    """

    entries: tuple[Entry, ...]
    complete: bool
    validators: Validators = Validators()
    total: int | None = None


def generic_key(guid: str | None, address: str, named: str) -> str:
    """The key of media that no site gives an id: `generic-<readable>-<8 hexadecimal digits>`.

    A feed's `guid` stays when its media moves, and is unique on the host of the feed, the URL that the user named. What has
    none is known by its own address.
    """
    guid, address = (guid or "").strip(), address.strip()
    origin = f"{urlsplit(named).hostname} {guid}" if guid else address
    readable = slug(guid or Path(urlsplit(address).path).stem)[-40:].strip("-")
    return f"generic-{readable}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"


def slug(text: str) -> str:
    """The text with everything but ASCII letters, digits and `_` as single hyphens."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "unnamed"


def is_url(address: str) -> bool:
    """Whether this is a URL, and not the path of a local file."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", address) is not None
