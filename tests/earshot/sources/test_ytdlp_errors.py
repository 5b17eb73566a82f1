"""yt-dlp's messages, each as it was really said, and the error that each is."""

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
from earshot.sources.net.conditional_get import MAX_PAUSE_S
from earshot.sources.net.ytdlp_errors import RULES, translate

URL = "https://www.youtube.com/watch?v=BaW_jenozKc"


SOURCE = Source(Kind.CHANNEL, "https://www.youtube.com/@Channel", "A channel")


def said(words: str) -> DownloadError:
    return DownloadError(f"ERROR: [youtube] BaW_jenozKc: {words}")


def wrapped(cause: Exception) -> DownloadError:
    return DownloadError(f"ERROR: {cause}", (type(cause), cause, None))  # pyright: ignore[reportArgumentType]  # no traceback: never raised


MESSAGES: list[tuple[str, type[VideoError], str | None]] = [
    (
        "Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.",
        Blocked,
        None,
    ),
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
    ("Something nobody has ever seen", Retryable, "failed"),
]


@pytest.mark.parametrize(("words", "kind", "state"), MESSAGES)
def test_message_becomes_its_error(words: str, kind: type[VideoError], state: str | None) -> None:
    told = translate(said(words), URL, SOURCE)
    assert type(told) is kind
    assert isinstance(told, VideoError)
    assert told.state == state
    assert told.message.startswith(f"{URL}: ")
    assert words.removeprefix("\r[download] Got error: ").split(". ")[0].rstrip(".") in told.message
    assert told.remedy


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
def test_what_yt_dlp_wrapped_tells_more_than_its_words(cause: Exception, kind: type[VideoError]) -> None:
    assert type(translate(wrapped(cause), URL, SOURCE)) is kind
    outer = ExtractorError("Unable to download webpage", cause=cause)
    assert type(translate(wrapped(outer), URL, SOURCE)) is kind


def test_what_is_refused_for_its_version_says_that_yt_dlp_may_be_too_old() -> None:
    for told in (translate(wrapped(http_error(403)), URL, SOURCE), translate(said("No video formats found!"), URL, SOURCE)):
        assert "yt-dlp is too old" in told.remedy


def test_a_message_comes_without_prefix_and_advice_on_bugs() -> None:
    error = DownloadError(
        "\x1b[0;31mERROR:\x1b[0m [youtube] BaW_jenozKc: It broke; please report this issue on  https://github.com/yt-dlp"
    )
    assert translate(error, URL, SOURCE).message == f"{URL}: It broke."


def test_every_rule_is_the_first_that_matches_some_message() -> None:
    messages = [words for words, _, _ in MESSAGES] + SET_UP
    used = {next((rule.words for rule in RULES if re.search(rule.words, words)), "") for words in messages}
    assert [rule.words for rule in RULES if rule.words not in used] == []


SET_UP = ["unable to write data: [Errno 28] No space left on device", "failed to load cookies"]


@pytest.mark.parametrize(("words", "kind"), list(zip(SET_UP, (DiskFull, Misconfigured), strict=True)))
def test_what_is_wrong_on_this_machine_is_no_fault_of_the_video(words: str, kind: type[EarshotError]) -> None:
    assert type(translate(said(words), URL, SOURCE)) is kind


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
def test_the_start_of_a_broadcast_is_read_from_the_words(words: str, seconds: float | None) -> None:
    told = translate(said(words), URL, SOURCE)
    assert isinstance(told, LiveOrUpcoming)
    assert told.starts_in_s == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("99999999999999999999", MAX_PAUSE_S),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_PAUSE_S),
        ("", None),
        ("-5", None),
        ("a while", None),
        ("Fri, 31 Dec 99999 23:59:59 +99999999999999999999", None),
    ],
)
def test_a_site_that_blocks_may_say_for_how_long(header: str, seconds: float | None) -> None:
    told = translate(wrapped(http_error(429, **{"Retry-After": header})), URL, SOURCE)
    assert isinstance(told, Blocked)
    assert told.pause_s == seconds


def test_a_site_that_blocks_may_say_until_when() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    told = translate(wrapped(http_error(429, **{"Retry-After": until})), URL, SOURCE)
    assert isinstance(told, Blocked)
    assert told.pause_s == pytest.approx(3600.0, abs=300.0)


def test_missing_javascript_runtime_remedy_names_deno(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = "Requested format is not available. Use --list-formats for a list of available formats"
    assert "deno" not in translate(said(words), URL, SOURCE).remedy
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    monkeypatch.setenv("PATH", str(tmp_path))
    told = translate(said(words), URL, SOURCE)
    assert type(told) is Retryable
    assert "deno" in told.remedy
    assert "make env" in told.remedy
    elsewhere = DownloadError(f"ERROR: [generic] talk: {words}")
    assert "deno" not in translate(elsewhere, URL, SOURCE).remedy


def test_message_has_no_secret_of_address_or_proxy() -> None:
    source = replace(SOURCE, proxy="http://somebody:pa%20ssw0rd@proxy.example:8080")
    for error in (
        said("pa ssw0rd was refused by http://somebody:pa%20ssw0rd@proxy.example:8080"),
        wrapped(UnsupportedError(URL)),
    ):
        told = str(translate(error, "https://user:hunter2@media.example/talk.mp3?token=abcdefgh", source))
        assert "media.example/talk.mp3" in told
        assert not [secret for secret in ("ssw0rd", "somebody", "hunter2", "abcdefgh") if secret in told]


def test_refused_address_is_address_refused() -> None:
    told = translate(said("Got error: [Errno 13] <refused: 10.0.0.1>. Giving up after 5 retries"), URL, SOURCE)
    assert type(told) is AddressRefused
    assert "10.0.0.1" in told.message
    assert "allow_private" in told.remedy
