"""Real messages of yt-dlp, and the error that each becomes."""

import re
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path

import pytest
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

from earshot.common.errors import (
    AddressRefused,
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
    VideoError,
)
from earshot.config.sources_file import Kind, Source
from earshot.sources.net.ytdlp_errors import RULES, translate

URL = "https://www.youtube.com/watch?v=BaW_jenozKc"
SOURCE = Source(Kind.CHANNEL, "https://www.youtube.com/@Channel", "A channel")


def reported(words: str) -> DownloadError:
    return DownloadError(f"ERROR: [youtube] BaW_jenozKc: {words}")


def wrapped(cause: Exception) -> DownloadError:
    return DownloadError(f"ERROR: {cause}", (type(cause), cause, None))  # pyright: ignore[reportArgumentType]  # no traceback: never raised


MESSAGES: list[tuple[str, type[VideoError], str | None]] = [
    ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.", Blocked, None),
    ("Sign in to confirm you're not a bot. This helps protect our community. Learn more", Blocked, None),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", Blocked, None),
    (
        "Video unavailable. This content isn't available, try again later. The current session has been rate-limited by "
        "YouTube for up to an hour.",
        Blocked,
        None,
    ),
    ("Unable to download API page: HTTP Error 429: Too Many Requests", Blocked, None),
    ("Private video. Sign in if you've been granted access to this video.", Private, "private"),
    ("This video is private", Private, "private"),
    (
        "Join this channel to get access to members-only content like this video, and other exclusive perks.",
        MembersOnly,
        "members_only",
    ),
    (
        "This video is available to this channel's members on level: MemberShrimp! (or any higher level).",
        MembersOnly,
        "members_only",
    ),
    ("Sign in to confirm your age. This video may be inappropriate for some users.", AgeRestricted, "age_restricted"),
    ("The uploader has not made this video available in your country", GeoBlocked, "geo_blocked"),
    ("This video is not available from your location due to geo restriction", GeoBlocked, "geo_blocked"),
    ("Premieres in 3 hours", LiveOrUpcoming, "live_or_upcoming"),
    ("This live event will begin in a few moments.", LiveOrUpcoming, "live_or_upcoming"),
    ("The channel is not currently live", LiveOrUpcoming, "live_or_upcoming"),
    ("Video unavailable. This video has been removed by the uploader", Removed, "removed"),
    (
        "Video unavailable. This video is no longer available because the YouTube account associated with this video has "
        "been terminated.",
        Removed,
        "removed",
    ),
    ("Video unavailable", Removed, "removed"),
    ("This video is DRM protected", InvalidMedia, "failed"),
    ("Requested format is not available. Use --list-formats for a list of available formats", Retryable, "failed"),
    ("Only images are available for download. Use --list-formats to see them", Retryable, "failed"),
    ("No video formats found!", Retryable, "failed"),
    ("\r[download] Got error: 1000 bytes read, 160037 more expected. Giving up after 5 retries", Truncated, "failed"),
    ("content too short (expected 161037 bytes and served 1000)", Truncated, "failed"),
    ("Unable to download webpage: HTTP Error 502: Bad Gateway", Retryable, "failed"),
    ("\r[download] Got error: HTTP Error 500: Internal Server Error. Giving up after 5 retries", Retryable, "failed"),
    ("fragment 2 not found, unable to continue", Retryable, "failed"),
    ("Unable to download webpage: <urllib3.connection.HTTPSConnection> Read timed out.", Retryable, "failed"),
    (
        "Unable to download webpage: HTTPConnection(host='127.0.0.1', port=38227): Failed to establish a new connection: "
        "[Errno 111] Connection refused",
        Retryable,
        "failed",
    ),
    (
        "Unable to download webpage: Failed to resolve 'www.youtube.com' ([Errno -3] Temporary failure in name resolution)",
        Retryable,
        "failed",
    ),
    ("Unable to download webpage: [Errno 101] Network is unreachable", Retryable, "failed"),
    ("Unable to download webpage: ('Connection aborted.', ConnectionResetError(104, 'Reset by peer'))", Retryable, "failed"),
    ("Unable to download webpage: ('Unable to connect to proxy', OSError('Tunnel failed'))", Retryable, "failed"),
    ("Something unknown", Retryable, "failed"),
]


@pytest.mark.parametrize(("words", "kind", "state"), MESSAGES)
def test_message_becomes_its_error(words: str, kind: type[VideoError], state: str | None) -> None:
    error = translate(reported(words), URL, SOURCE)
    assert type(error) is kind
    assert isinstance(error, VideoError)
    assert error.state == state
    assert error.message.startswith(f"{URL}: ")
    assert words.removeprefix("\r[download] Got error: ").split(". ")[0].rstrip(".") in error.message
    assert error.remedy


def http_error(status: int, **headers: str) -> HTTPError:
    return HTTPError(Response(BytesIO(), URL, headers, status=status))


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (http_error(404), Removed),
        (http_error(410), Removed),
        (http_error(429), Blocked),
        (http_error(401), Retryable),
        (http_error(403), Retryable),
        (http_error(500), Retryable),
        (http_error(503), Retryable),
        (http_error(503, **{"Retry-After": "soon"}), Retryable),
        (http_error(503, **{"Retry-After": "60"}), Blocked),
        (GeoRestrictedError("Nur in Deutschland"), GeoBlocked),
        (UserNotLive(), LiveOrUpcoming),
        (UnsupportedError(URL), InvalidMedia),
    ],
)
def test_wrapped_cause_decides_the_error(cause: Exception, kind: type[VideoError]) -> None:
    assert type(translate(wrapped(cause), URL, SOURCE)) is kind
    outer = ExtractorError("Unable to download webpage", cause=cause)
    assert type(translate(wrapped(outer), URL, SOURCE)) is kind


def test_remedy_suggests_newer_yt_dlp() -> None:
    for error in (
        translate(wrapped(http_error(403)), URL, SOURCE),
        translate(reported("No video formats found!"), URL, SOURCE),
    ):
        assert "yt-dlp is too old" in error.remedy


def test_prefix_and_bug_report_advice_are_removed() -> None:
    error = DownloadError(
        "\x1b[0;31mERROR:\x1b[0m [youtube] BaW_jenozKc: It broke; please report this issue on  https://github.com/yt-dlp"
    )
    assert translate(error, URL, SOURCE).message == f"{URL}: It broke."


def test_every_rule_matches_some_message_first() -> None:
    messages = [words for words, _, _ in MESSAGES] + SET_UP
    used = {next((rule.words for rule in RULES if re.search(rule.words, words)), "") for words in messages}
    assert [rule.words for rule in RULES if rule.words not in used] == []


SET_UP = ["unable to write data: [Errno 28] No space left on device", "failed to load cookies"]


@pytest.mark.parametrize(("words", "kind"), list(zip(SET_UP, (DiskFull, Misconfigured), strict=True)))
def test_local_problem_is_no_error_of_the_video(words: str, kind: type[EarshotError]) -> None:
    assert type(translate(reported(words), URL, SOURCE)) is kind


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Premieres in 3 hours", 3 * 3600.0),
        ("Premieres in 1 minute", 60.0),
        ("This live event will begin in 2 days.", 2 * 86_400.0),
        ("This live event will begin in an hour.", 3600.0),
        ("This live event will begin in a few moments.", 60.0),
        ("This live event has ended.", None),
        ("The channel is not currently live", None),
    ],
)
def test_start_of_broadcast_is_read_from_message(words: str, seconds: float | None) -> None:
    error = translate(reported(words), URL, SOURCE)
    assert isinstance(error, LiveOrUpcoming)
    assert error.starts_in_s == seconds


@pytest.mark.parametrize(("header", "seconds"), [("120", 120.0), ("a while", None)])
def test_block_has_pause_of_retry_after(header: str, seconds: float | None) -> None:
    error = translate(wrapped(http_error(429, **{"Retry-After": header})), URL, SOURCE)
    assert isinstance(error, Blocked)
    assert error.pause_s == seconds


def test_block_has_pause_until_retry_after_date() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    error = translate(wrapped(http_error(429, **{"Retry-After": until})), URL, SOURCE)
    assert isinstance(error, Blocked)
    assert error.pause_s == pytest.approx(3600.0, abs=300.0)


def test_missing_javascript_runtime_remedy_names_deno(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = "Requested format is not available. Use --list-formats for a list of available formats"
    assert "deno" not in translate(reported(words), URL, SOURCE).remedy
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    monkeypatch.setenv("PATH", str(tmp_path))
    error = translate(reported(words), URL, SOURCE)
    assert type(error) is Retryable
    assert "deno" in error.remedy
    assert "make env" in error.remedy
    elsewhere = DownloadError(f"ERROR: [generic] talk: {words}")
    assert "deno" not in translate(elsewhere, URL, SOURCE).remedy


def test_message_has_no_secret_of_address_or_proxy() -> None:
    source = replace(SOURCE, proxy="http://owner:pa%20ssw0rd@proxy.example:8080")
    for error in (
        reported("pa ssw0rd was refused by http://owner:pa%20ssw0rd@proxy.example:8080"),
        wrapped(UnsupportedError(URL)),
    ):
        message = str(translate(error, "https://user:hunter2@media.example/talk.mp3?token=abcdefgh", source))
        assert "media.example/talk.mp3" in message
        assert not [secret for secret in ("ssw0rd", "owner", "hunter2", "abcdefgh") if secret in message]


def test_refused_address_is_address_refused() -> None:
    error = translate(reported("Got error: [Errno 13] <refused: 10.0.0.1>. Giving up after 5 retries"), URL, SOURCE)
    assert type(error) is AddressRefused
    assert "10.0.0.1" in error.message
    assert "allow_private" in error.remedy
