"""Redaction removes secrets, keeps ordinary text readable, and handles any text."""

import random
import re
import string
import uuid
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.provisional import urls

from earshot.common.redaction import SECRET_NAMES, without_secrets

SECRET = "hunter2hunter2"

# The parts of texts with secrets, so that random texts often have some.
PIECES = st.sampled_from([
    "https://", "socks5://", "s3://", "://", "//", "user", ":", "@", "/", "?", "&", "&amp;", "=", ";", "#", ",", " ", "\n", "'",
    '"', "\\", "[", "]", "(", ")", "{", "}", "<", ">", ".", "-", "%", "%3D", "…", "v", "token", "password=", "Cookie: ",
    "Authorization", "Bearer ", "url: /", "host.example", ":8080", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4", "Ünï", "日本",
    "\ud800", "\x00",
])  # fmt: skip
TEXTS = st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Lu", "Zs", "Po"])), st.lists(PIECES).map("".join))

ORDINARY = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf&index=3&t=30",
    "https://www.youtube.com/@handle/videos",
    "https://www.youtube.com/channel/UCBJycsmduvYEL83R_U4JriQ/streams",
    "https://www.youtube.com/feeds/videos.xml?channel_id=UCBJycsmduvYEL83R_U4JriQ",
    "https://www.youtube.com/playlist?list=UULFBJycsmduvYEL83R_U4JriQ",
    "https://www.youtube.com/playlist?list=OLAK5uy_l1m0thk3g31NmIIz_vMIbWtyv7eZixlH0",
    "https://youtu.be/dQw4w9WgXcQ?t=1m30s",
    "https://feeds.megaphone.fm/GLT1412515089",
    "https://feeds.acast.com/public/shows/d4e5f6a7-1234-4321-9abc-123456789abc",
    "https://example.org/?p=1024",
    "https://example.org/podcast/2026/01/episode-12-the-long-title-of-2026-with-a-guest.mp3",
    "https://example.org/TheDailyShowWithTrevorNoah2026.mp3#t=10,20",
    "https://example.org/TheOldManAndTheSeaAndTheBigFish.mp3",
    "https://example.org/a1B2c3D4e5F6g7H8.mp3",
    "https://example.org/2026-01-12T09-00-00_interview_part2_v3_final-320kbps.m4a",
    "https://example.org/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82-%D0%BC%D0%B8%D1%80-2026.mp3",
    f"https://cdn.example.org/{'9f86d081884c7d659a2feaa0c55ad015'}.mp3",
    "https://dts.podtrac.com/redirect.mp3/https://example.org/episode.mp3",
    "https://web.archive.org/web/2026/https://medium.com/@user",
    "http://127.0.0.1:8080/@x/feed.xml",
    "http://[2001:db8::1]:8080/a@b.mp3",
    "s3://bucket/prefix/audio.flac",
    "https://example.org/?query-without-value#part-2",
]  # fmt: skip


@pytest.mark.parametrize("url", ORDINARY)
def test_ordinary_urls_are_unchanged(url: str) -> None:
    text = f"Nothing is at {url}, or '{url}' (see {url})."
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "Sign in to confirm you're not a bot.", "HTTP Error 403: Forbidden", "C:/what?.mp3", "/home/me/What is this?.mp3",
        "not well-formed (invalid token): line 1, column 2", "Set `cookies` of the source.", "a@b.example", "token",
        "The cookies file /home/me/cookies.txt cannot be read.", "Why? Because = is no query.",
    ],
)  # fmt: skip
def test_text_without_urls_is_unchanged(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("url", "left"),
    [
        (f"https://user:{SECRET}@host.example/a", "https://host.example/a"),
        (f"https://{SECRET}@host.example", "https://host.example"),
        (f"socks5h://me:{SECRET}@10.0.0.1:1080", "socks5h://10.0.0.1:1080"),
        (f"postgresql://me:{SECRET}@/earshot", "postgresql:///earshot"),
        (f"HTTPS://me:{SECRET}@host.example:8080/a", "HTTPS://host.example:8080/a"),
        (f"http://me:it's{SECRET}@host.example/", "http://host.example/"),
        (f"http://me:a@{SECRET}@host.example/", "http://host.example/"),
        (f"http://me:a/b?c#{SECRET}@host.example:3128", "http://host.example:3128"),
        (f"http://me:1234{SECRET}/@host.example:3128", "http://host.example:3128"),
        (f"http://me:{SECRET}@[::1]:3128/", "http://[::1]:3128/"),
        (f"http://a.example,https://me:{SECRET}@b.example", "http://a.example,https://b.example"),
        (f"http://a.example/x/s3://me:{SECRET}@b.example/y", "http://a.example/x/s3://b.example/y"),
        (f"http://a.example/x/http://me:{SECRET}@b.example/y", "http://a.example/x/http://b.example/y"),
    ],
)
def test_user_and_password_are_dropped(url: str, left: str) -> None:
    assert without_secrets(url) == left


@pytest.mark.parametrize(
    ("url", "left"),
    [
        (f"https://h.example/rss?auth={SECRET}", "https://h.example/rss?auth=…"),
        (f"https://h.example/?page=2&sig={SECRET}&v=abc#t=3", "https://h.example/?page=2&sig=…&v=abc#t=3"),
        (f"https://h.example/?v=a&amp;key={SECRET}&amp;v=b", "https://h.example/?v=a&amp;key=…&amp;v=b"),
        (f"https://h.example/?key={SECRET}/a?b;c={SECRET}", "https://h.example/?key=…"),
        (f"https://h.example/?v=a;key={SECRET}", "https://h.example/?v=…"),
        (f"https://h.example/?v=a&token={SECRET}), then", "https://h.example/?v=a&token=…), then"),
        (f"https://h.example/?to=https%3A%2F%2Fme%3A{SECRET}%40b.example", "https://h.example/?to=…"),
        (f"https://h.example/?to=https://me:{SECRET}@b.example/?k={SECRET}&v=1", "https://h.example/?to=https://b.example/?k=…&v=1"),
        (f"https://h.example/#access_token={SECRET}&page=1", "https://h.example/#access_token=…&page=1"),
        (f"https://h.example/a;jsessionid={SECRET}/b.mp3", "https://h.example/a;jsessionid=…/b.mp3"),
        (f"https://h.example/a&auth={SECRET}&v=1;t=2", "https://h.example/a&auth=…&v=1;t=2"),
        ("https://h.example/?auth=&v=1", "https://h.example/?auth=&v=1"),
        (f"Max retries exceeded with url: /rss?auth={SECRET} (Caused", "Max retries exceeded with url: /rss?auth=… (Caused"),
        (f"GET /rss?user=me&auth={SECRET} HTTP/1.1", "GET /rss?user=…&auth=… HTTP/1.1"),
    ],
)  # fmt: skip
def test_query_values_are_hidden_unless_harmless(url: str, left: str) -> None:
    assert without_secrets(url) == left


@pytest.mark.parametrize(
    "token",
    [
        "eyJ0IjoicCIsImMiOiIxMjM0NSIsInUiOiI5OTk5OSJ9.rss",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "9f86d081884c7d659a2feaa0c55ad015.xml",
        "Zm9vYmFyMTIzNDU2Nzg5MGFiY2Rl",
        "a1B2c3-D4e5F6_g7H8i9-J0k1L2",
        "a1B2c3D4e5F6%2Bg7H8i9J0k1L2%3D%3D",
    ],
)
def test_token_is_hidden_anywhere_in_url(token: str) -> None:
    for url in ("https://h.example/private/{}", "https://h.example/{}/feed.xml", "https://h.example/?{}", "with url: /{}"):
        assert without_secrets(url.format(token)) == url.format("…")
    assert without_secrets(f"https://h.example/?id={token}") == "https://h.example/?id=…"


def test_nearly_all_random_tokens_are_hidden() -> None:
    """The rule looks for disorder, which a random token sometimes lacks: less often at 40 characters than at 24."""
    chance = random.Random(0)
    for alphabet in (string.ascii_letters + string.digits, string.ascii_letters + string.digits + "-_", "0123456789abcdef"):
        for length, least in ((24, 0.96), (40, 0.99)):
            tokens = ["".join(chance.choices(alphabet, k=length)) for _ in range(2000)]
            hidden = sum(without_secrets(f"https://h.example/{token}") == "https://h.example/…" for token in tokens)
            assert hidden >= least * len(tokens)


@given(st.uuids())
def test_uuid_is_not_a_token(name: uuid.UUID) -> None:
    assert without_secrets(f"https://h.example/{name}/1.mp3") == f"https://h.example/{name}/1.mp3"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Authorization: Bearer {SECRET} was refused", "Authorization: … was refused"),
        (f"authorization: {SECRET}", "authorization: …"),
        (f"Proxy-Authorization: Basic {SECRET}=\nnext line", "Proxy-Authorization: …\nnext line"),
        (f'Authorization: Digest username="me", response="{SECRET}"', "Authorization: …"),
        (f'Cookie: SID="{SECRET} and spaces"; HSID={SECRET}.', "Cookie: …"),
        (f"Cookie: SID={SECRET}; HSID={SECRET} is too old", "Cookie: … is too old"),
        (f"Set-Cookie: SID={SECRET}; Path=/", "Set-Cookie: …"),
        (f"{{'Authorization': 'Bearer {SECRET}', 'Cookie': 'a={SECRET}; b=c'}}", "{'Authorization': '…', 'Cookie': '…'}"),
        (f"{{b'Authorization': b'Bearer {SECRET}'}}", "{b'Authorization': b'…'}"),
        (f"{{'Cookie': 'a=b of {SECRET}; c'}}", "{'Cookie': '…'}"),
        (f'{{\\"Authorization\\": \\"Bearer {SECRET}\\"}}', '{\\"Authorization\\": \\"…'),
        (f"password='{SECRET} with spaces' and more", "password='…' and more"),
        (f'{{"password": "{SECRET}, {SECRET}"}}', '{"password": "…"}'),
        (f"access_token={SECRET}, expired", "access_token=…, expired"),
        (f"X-Api-Key: {SECRET}", "X-Api-Key: …"),
        (f"token=https://me:{SECRET}@h.example/", "token=…"),
    ],
)
def test_headers_and_values_with_secret_names_are_hidden(text: str, left: str) -> None:
    cleaned = without_secrets(text)
    assert cleaned.startswith(left)
    assert SECRET not in cleaned


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_each_secret_name_hides_its_value(name: str) -> None:
    assert without_secrets(f"MY_{name.upper()}={SECRET}") == f"MY_{name.upper()}=…"


def test_callers_secrets_are_hidden_in_every_encoding() -> None:
    known = "p@ss/wört 1"
    text = f"{known} | {quote(known, safe='')} | {quote(known, safe='').replace('%20', '+')} | abc"
    assert without_secrets(text, also=[known, "abc", ""]) == "… | … | … | abc"
    assert without_secrets(f"said {known}", also=[quote(known, safe="")]) == "said …"
    assert without_secrets("said abcdefgh", also=["abcd", "abcdefgh"]) == "said …"


@given(TEXTS)
@example("Cookie: a b c d")
@example("http://a:b@c:x/y@z?k=v?k=v")
@example("Authorization: " * 3)
def test_redaction_is_idempotent(text: str) -> None:
    cleaned = without_secrets(text)
    assert without_secrets(cleaned) == cleaned


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_known_secrets_are_always_removed(text: str, known: list[str]) -> None:
    cleaned = without_secrets(text + "".join(known), known)
    assert not [secret for secret in known if len(secret) >= 4 and secret in cleaned]
    assert without_secrets(cleaned, known) == cleaned


@given(st.text(st.sampled_from(string.ascii_letters + "0123456789 .,!()'\n-_@/&;#Üß日"), max_size=200))
def test_text_without_url_or_value_syntax_is_unchanged(text: str) -> None:
    assert without_secrets(text) == text


@given(urls(), st.from_regex(r"\A[A-Za-z0-9!$&'()*+,;=._~-]{1,20}\Z"), st.from_regex(r"\A[A-Za-z0-9!$'()*+,;=._~-]{1,20}\Z"))
def test_url_keeps_host_and_loses_secrets(url: str, user: str, password: str) -> None:
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest)[0]
    path = rest[len(host) :].partition("#")[0].partition("?")[0]
    mark = "9f3ac1d07b52e846"
    written = f"{scheme}://{user}:{mark}{password}@{host}{path}?key={mark}{password}&k=1"
    cleaned = without_secrets(f"<{written}>")
    assert cleaned.startswith(f"<{scheme}://{host}")
    assert cleaned.endswith("?key=…&k=…>")
    assert mark not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000, "://" * 30_000, "http://" * 15_000, "http://a:b" * 10_000, "http://u:p@" * 10_000, "?a=" * 30_000,
        "token" * 20_000, "/" * 100_000, "Cookie: " + "a=b;" * 25_000, "[:" * 50_000, "http://" + "a:" * 50_000,
        "Authorization" + " " * 100_000, "http://c:x/y@" * 10_000, "\\" * 100_000, "url: /" * 15_000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_adversarial_long_texts_finish(text: str) -> None:
    """In about a second each; a rule of quadratic time would take hours."""
    assert without_secrets(f"{text} https://me:{SECRET}@h.example/").endswith(" https://h.example/")
