"""What yt-dlp says when it cannot get a video, told for what it is: a table from its messages to the tree of errors.

yt-dlp raises one exception for everything and says the rest in words: its own, and those of the site. `explain()` reads the
exceptions it wrapped where they tell (HTTP status, geo restriction, no extractor) and else looks its words up in `RULES`,
first match first. What is not recognised is Retryable with the message kept, and so `failed`: never "no audio".

The words are those of yt-dlp 2026.8.19 and of YouTube's pages; tests/test_media_errors.py has each as it was really said.
"""

import re
from dataclasses import dataclass
from typing import TypeVar

from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, GeoRestrictedError, UnsupportedError, UserNotLive

from resources.errors import (
    AgeRestricted,
    Blocked,
    GeoBlocked,
    InvalidMedia,
    LiveOrUpcoming,
    MembersOnly,
    Private,
    Removed,
    Retryable,
    VideoError,
)

E = TypeVar("E", bound=BaseException)

GONE = "The media is gone; the source may offer it elsewhere."
LATER = "Try again later: earshot ingest."
WAIT = "Give the site some hours before this source is asked again."
ELSEWHERE = "It cannot be fetched from where this machine is."
UPDATE = "If other videos of the site fail alike, yt-dlp is too old: raise its pin in pyproject.toml, then `make lock env`."


@dataclass(frozen=True)
class Rule:
    """Words in a message, the error they mean, and what to do."""

    words: str
    error: type[VideoError]
    remedy: str


RULES = (
    # YouTube writes the apostrophe in two ways. Before the age rule, which also begins with "Sign in to confirm".
    Rule(r"confirm you.re not a bot|captcha challenge", Blocked, WAIT),
    Rule(r"rate-limited by|try again later|Too Many Requests", Blocked, WAIT),
    Rule(r"members-only|to this channel.s members|Join this channel", MembersOnly, "Only members of the channel may see it."),
    Rule(r"Private video|video is private", Private, "Its owner has made it private."),
    Rule(
        r"confirm your age|age-restricted|inappropriate for some users", AgeRestricted, "The site asks for an adult's account."
    ),
    Rule(
        r"not made this video available in your country|not available (from your location|in your country)|geo.?restrict",
        GeoBlocked,
        ELSEWHERE,
    ),
    Rule(
        r"Premieres? (in|will begin)|live event (will begin|has ended)|live stream recording is not available"
        r"|not currently live|Offline\b|stream (has not|hasn.t) started",
        LiveOrUpcoming,
        "It can be had once it was broadcast and is archived.",
    ),
    Rule(
        r"has been removed|removed by the (uploader|user)|account .*has been terminated|no longer (available|exists)"
        r"|[Vv]ideo (unavailable|does not exist|is not available|isn.t available)",
        Removed,
        GONE,
    ),
    Rule(r"DRM protected", InvalidMedia, "What is encrypted cannot be heard."),
    Rule(r"Requested format is not available|No video formats found|Only images are available", Retryable, UPDATE),
)


def explain(error: DownloadError, url: str) -> VideoError:
    """The error of the tree that this failure of a download is."""
    message = f"{url}: {message_of(error)}"
    status = cause_of(error, HTTPError)
    if status is not None and status.status in (404, 410):
        return Removed(message, GONE)
    if status is not None and status.status == 429:
        return Blocked(message, WAIT)
    if status is not None and status.status == 403:
        return Retryable(message, UPDATE)
    if cause_of(error, UnsupportedError):
        return InvalidMedia(f"{url}: what lies there is not audio or video.", "Open it in a browser.")
    if cause_of(error, GeoRestrictedError):
        return GeoBlocked(message, ELSEWHERE)
    if cause_of(error, UserNotLive):
        return LiveOrUpcoming(message, LATER)
    rule = next((rule for rule in RULES if re.search(rule.words, message)), None)
    return rule.error(message, rule.remedy) if rule else Retryable(message, LATER)


def cause_of(error: DownloadError, kind: type[E]) -> E | None:
    """The exception of this kind that yt-dlp wrapped, however deep."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, kind):
            return found
        wrapped = (found.exc_info or (None, None))[1] if isinstance(found, DownloadError) else getattr(found, "cause", None)
        found = wrapped or found.__cause__ or found.__context__
    return None


def message_of(error: DownloadError) -> str:
    """yt-dlp's message without its prefix, colours and advice on reporting bugs."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
    return (
        re.sub(r"^\[[\w:+]+\] (\S+: )?", "", text)
        .partition("; please report")[0]
        .partition(" (caused by ")[0]
        .strip()
        .rstrip(".")
        + "."
    )
