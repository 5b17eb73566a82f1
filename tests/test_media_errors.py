"""yt-dlp's messages, each as it was really said, and the error that each is."""

import re
from io import BytesIO

import pytest
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError, UserNotLive

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
from resources.media_errors import RULES, explain

URL = "https://www.youtube.com/watch?v=BaW_jenozKc"


def said(words: str) -> DownloadError:
    return DownloadError(f"ERROR: [youtube] BaW_jenozKc: {words}")


def wrapped(cause: Exception) -> DownloadError:
    return DownloadError(f"ERROR: {cause}", (type(cause), cause, None))


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
    ("No video formats found!", Retryable, "failed"),
    ("Unable to download webpage: <urllib3.connection.HTTPSConnection> Read timed out.", Retryable, "failed"),
    ("Something nobody has ever seen", Retryable, "failed"),
]


@pytest.mark.parametrize(("words", "kind", "state"), MESSAGES)
def test_a_message_is_told_for_what_it_is(words: str, kind: type[VideoError], state: str | None) -> None:
    told = explain(said(words), URL)
    assert type(told) is kind
    assert told.state == state
    assert told.message.startswith(f"{URL}: ")
    assert words.split(". ")[0].rstrip(".") in told.message
    assert told.remedy


def http_error(status: int) -> HTTPError:
    return HTTPError(Response(BytesIO(), URL, {}, status=status))


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (http_error(404), Removed),
        (http_error(410), Removed),
        (http_error(429), Blocked),
        (http_error(403), Retryable),
        (http_error(500), Retryable),
        (GeoRestrictedError("Nur in Deutschland", countries=["DE"]), GeoBlocked),
        (UserNotLive(), LiveOrUpcoming),
        (UnsupportedError(URL), InvalidMedia),
    ],
)
def test_what_yt_dlp_wrapped_tells_more_than_its_words(cause: Exception, kind: type[VideoError]) -> None:
    assert type(explain(wrapped(cause), URL)) is kind
    outer = ExtractorError("Unable to download webpage", cause=cause)
    assert type(explain(wrapped(outer), URL)) is kind


def test_what_is_refused_for_its_version_says_that_yt_dlp_may_be_too_old() -> None:
    for told in (explain(wrapped(http_error(403)), URL), explain(said("No video formats found!"), URL)):
        assert "yt-dlp is too old" in told.remedy


def test_a_message_comes_without_prefix_and_advice_on_bugs() -> None:
    error = DownloadError(
        "\x1b[0;31mERROR:\x1b[0m [youtube] BaW_jenozKc: It broke; please report this issue on  https://github.com/yt-dlp"
    )
    assert explain(error, URL).message == f"{URL}: It broke."


def test_every_rule_is_the_first_that_matches_some_message() -> None:
    used = {next((rule.words for rule in RULES if re.search(rule.words, words)), "") for words, _, _ in MESSAGES}
    assert [rule.words for rule in RULES if rule.words not in used] == []
