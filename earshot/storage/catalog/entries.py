"""`Entry`: a video as its source lists it. earshot/sources/selection.py decides which entries are wanted.

Every kind of listing (earshot/sources/listing.py) returns the same `Entry`. Facts that a listing lacks are None; dates, lengths
and kinds are never guessed. If a decision needs one, `fetch_details()` reads the video's own page.
"""

import hashlib
import re
from dataclasses import dataclass, field
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
class CaptionFile:
    """A file of captions in the spoken language: its http(s) URL or absolute path, its format and its language.

    `format` is `vtt`, `srt` or `json`; `language` is whisper's code, "" if unknown. `version` changes with a local file.
    """

    address: str = field(repr=False)  # may contain a token
    format: str
    language: str
    version: str = ""


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
    starts_at: datetime | None = None  # of an upcoming broadcast
    short: bool | None = None
    members_only: bool | None = None
    fingerprint: str | None = None  # of a local file: its size and times, which show a change without reading it
    captions: CaptionFile | None = None  # that the listing names; sites are asked later


@dataclass(frozen=True)
class Validators:
    """HTTP validators, with which a server can answer that a response has not changed (RFC 9110, section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a source listed. `complete`: every video it has; otherwise only the newest, or the head of its list.

    `total` is the number of videos that the source says it has, if it says.
    """

    entries: tuple[Entry, ...]
    complete: bool
    validators: Validators = Validators()
    total: int | None = None


def generic_key(guid: str | None, address: str, named: str) -> str:
    """The key of media without a site's id: `generic-<readable>-<8 hexadecimal digits>`.

    A feed's `guid` survives a move of the media, and is unique on the feed's host (that of `named`, the URL that the user
    gave). Media without a guid is identified by its own address.
    """
    guid, address = (guid or "").strip(), address.strip()
    origin = f"{urlsplit(named).hostname} {guid}" if guid else address
    readable = slug(guid or Path(urlsplit(address).path).stem)[-40:].strip("-")
    return f"generic-{readable}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"


def slug(text: str) -> str:
    """The text with each run of characters other than ASCII letters, digits and `_` replaced by a hyphen."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "unnamed"


def is_url(address: str) -> bool:
    """Whether this is a URL and not the path of a local file."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", address) is not None
