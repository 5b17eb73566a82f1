"""Translates yt-dlp's errors into Earshot's.

yt-dlp raises one exception class for almost everything; only its message, or the site's, says what went wrong. `translate()`
first inspects the exceptions that yt-dlp wrapped (HTTP status, geo restriction, no extractor, a refused address), then searches
the message with `RULES`; the first match counts. An unknown error becomes Retryable with its message, and the video `failed`,
never "no audio". Callers must raise the result `from None`: Dagster's event log stores whole chains of causes, and yt-dlp's
contain URLs with their secrets.

The messages are those of yt-dlp 2026.8.19 and of YouTube's pages; tests/earshot/sources/test_ytdlp_errors.py quotes each
verbatim.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from yt_dlp.globals import supported_js_runtimes
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import GeoRestrictedError, UnsupportedError, UserNotLive, YoutubeDLError

from earshot.common.errors import (
    REINSTALL,
    AgeRestricted,
    Blocked,
    DiskFull,
    EarshotError,
    GeoBlocked,
    InvalidMedia,
    LiveOrUpcoming,
    MembersOnly,
    Misconfigured,
    Private,
    Removed,
    Retryable,
    Truncated,
    error_chain,
)
from earshot.common.redaction import without_secrets
from earshot.config.sources_file import Source
from earshot.sources.net.conditional_get import retry_after_s
from earshot.sources.net.ssrf_guard import address_refused, find_refusal

E = TypeVar("E", bound=BaseException)

GONE = "The media is gone; the source may offer it elsewhere."
LATER = "It is retried automatically; `earshot retry` tries it now."
NETWORK = "The network or the site failed; the video is not to blame. " + LATER
WAIT = "Wait some hours before you ingest from this source again."
ELSEWHERE = "It cannot be fetched from this machine's location."
ARCHIVED = "It can be fetched once the broadcast is over and archived."
LOGIN = "If your account may see it, export its cookies to a file, and name that as `cookies` of the source in sources.yaml."
UPDATE = (
    "If other videos of the site fail alike, yt-dlp is too old: raise its pin in pyproject.toml, then `make lock env`; "
    "without a clone, install a newer one."
)
RUNTIME = f"YouTube's media needs the JavaScript runtime deno, which is missing or too old. {REINSTALL}."

_POLLED_AGAIN = "It is polled again automatically while `earshot up` runs; `earshot ingest` tries it now."
# Remedies for a source, in place of those for a video.
OF_A_SOURCE = {
    GONE: "Nothing is there any more: correct the address.",
    LATER: _POLLED_AGAIN,
    NETWORK: f"The network or the site failed. {_POLLED_AGAIN}",
}

_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0, "month": 2_592_000.0}


@dataclass(frozen=True)
class Rule:
    """A pattern in a message, the error it means, and what to do."""

    words: str
    error: type[EarshotError]
    remedy: str


RULES = (
    # YouTube writes the apostrophe in two ways. Before the age rule, whose messages also begin with "Sign in to confirm".
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
        ARCHIVED,
    ),
    Rule(
        r"has been removed|removed by the (uploader|user)|account .*has been terminated|no longer (available|exists)"
        r"|[Vv]ideo (unavailable|does not exist|is not available|isn.t available)",
        Removed,
        GONE,
    ),
    Rule(r"DRM protected", InvalidMedia, "Encrypted media cannot be ingested."),
    Rule(r"No space left on device", DiskFull, "Free some space, or set EARSHOT_HOME to a larger disk."),
    Rule(r"[Ff]ailed to load cookies", Misconfigured, "Correct `cookies` of its source: it names a file in Netscape's format."),
    Rule(r"bytes read, \d+ more expected|content too short", Truncated, NETWORK),
    Rule(
        r"HTTP Error 5\d\d|unable to continue|timed out|Connection (refused|reset|aborted)|closed connection|Failed to resolve"
        r"|[Nn]ame resolution|Name or service not known|unreachable|No route to host|SSL|[Pp]roxy",
        Retryable,
        NETWORK,
    ),
    Rule(r"Requested format is not available|No video formats found|Only images are available", Retryable, UPDATE),
)


def translate(error: YoutubeDLError, url: str, source: Source) -> EarshotError:
    """Returns (does not raise) the error for this failure to fetch `url`; its message contains no secret."""
    message = without_secrets(f"{url}: {message_of(error)}", also=secrets_of(source))
    target = find_refusal(error)
    if target is not None:
        return address_refused(url, target)
    return _by_status(error, message) or _by_class(error, message) or _by_words(error, message)


def secrets_of(source: Source) -> list[str]:
    """A source's secrets besides those in its addresses: its proxy's user and password."""
    proxy = urlsplit(source.proxy or "")
    return [unquote(part) for part in (proxy.username, proxy.password) if part]


def seconds_until_start(message: str) -> float | None:
    """Seconds until a start announced as `in 3 hours` or `in a few moments`; None if the message has no time."""
    if "in a few moments" in message:
        return 60.0
    match = re.search(rf"\bin (\d+|an?) ({'|'.join(_UNITS)})s?\b", message)
    if match is None:
        return None
    return (float(match[1]) if match[1].isdigit() else 1.0) * _UNITS[match[2]]


def cause_of(error: BaseException, kind: type[E]) -> E | None:
    """The exception of this kind that yt-dlp wrapped, at any depth."""
    return next((link for link in error_chain(error) if isinstance(link, kind)), None)


def message_of(error: YoutubeDLError) -> str:
    """yt-dlp's message without its prefix, colours and advice on reporting bugs."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().removeprefix("ERROR: ").strip()
    return (
        re.sub(r"^\[[\w:+]+\] ((Got error|\S+): )?", "", text)
        .partition("; please report")[0]
        .partition(" (caused by ")[0]
        .strip()
        .rstrip(".")
        + "."
    )


def _by_status(error: YoutubeDLError, message: str) -> EarshotError | None:
    refused = cause_of(error, HTTPError)
    if refused is None:
        return None
    if refused.status in (404, 410):
        return Removed(message, GONE)
    pause_s = retry_after_s(refused.response.headers.get("Retry-After"), datetime.now(UTC))
    if refused.status == 429 or (refused.status == 503 and pause_s is not None):
        return Blocked(message, WAIT, pause_s)
    remedy = {401: LOGIN, 403: UPDATE}.get(refused.status)
    return Retryable(message, remedy) if remedy else None


def _by_class(error: YoutubeDLError, message: str) -> EarshotError | None:
    if cause_of(error, UnsupportedError):
        return InvalidMedia(
            f"{message.partition(': ')[0]}: there is no audio or video at this address.", "Open it in a browser."
        )
    if cause_of(error, GeoRestrictedError):
        return GeoBlocked(message, ELSEWHERE)
    if cause_of(error, UserNotLive):
        return LiveOrUpcoming(message, ARCHIVED)
    return None


def _by_words(error: YoutubeDLError, message: str) -> EarshotError:
    rule = next((rule for rule in RULES if re.search(rule.words, message)), None)
    if rule is None:
        return Retryable(message, LATER)
    if rule.error is LiveOrUpcoming:
        return LiveOrUpcoming(message, rule.remedy, seconds_until_start(message))
    if rule.remedy is UPDATE and "[youtube" in str(error) and not _has_javascript():
        return Retryable(message, RUNTIME)
    return rule.error(message, rule.remedy)


def _has_javascript() -> bool:
    """Whether yt-dlp finds the runtime that solves YouTube's challenges. yt-dlp itself warns only once."""
    runtime = supported_js_runtimes.value["deno"]().info
    return runtime is not None and runtime.supported
