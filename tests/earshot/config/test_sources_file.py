"""sources.yaml: what it may hold, how it is read, and its mistakes: line, key, value."""

import re
import traceback
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from faster_whisper import tokenizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earshot.common.errors import InvalidConfig, Misconfigured, SourceUnusable
from earshot.config import sources_file
from earshot.config.hints import MOST_CHARACTERS
from earshot.config.settings import PROJECT_ROOT
from earshot.config.source_options import LANGUAGES
from earshot.config.sources_file import FOLDER_EVERY_S, Kind, Source, read_sources, source_named
from earshot.config.sources_model import WEB_ONLY, Address, SourceEntry

CHANNEL = "https://www.youtube.com/@SomeChannel"
A, B = "https://a.example/", "https://b.example/"
SECRET = "hunter2pass"
PAGE = (PROJECT_ROOT / "docs" / "reference" / "sources-file.md").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of sources.yaml and of a file of cookies, in which the process runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cookies.txt").touch()
    return tmp_path


def read(folder: Path, text: str) -> tuple[Source, ...]:
    (folder / "sources.yaml").write_text(text, encoding="utf-8")
    return read_sources(folder / "sources.yaml")


def with_lines(*lines: str, kind: str = "channel", address: str = CHANNEL) -> str:
    """A file with one source on line 2, and these lines below it."""
    return "\n".join(["sources:", f"  - {kind}: {address}", *(f"    {line}" for line in lines), ""])


def refused(folder: Path, text: str) -> InvalidConfig:
    with pytest.raises(InvalidConfig) as caught:
        read(folder, text)
    return caught.value


# --- what it holds -------------------------------------------------------------------------------------------------------


def test_sources_of_each_kind_keep_order(folder: Path) -> None:
    web = {Kind.CHANNEL: CHANNEL, Kind.FEED: "HTTPS://example.com/podcast.xml", Kind.PLAYLIST: f"{B}?list=PL1", Kind.URL: A}
    lines = [f"  - {kind}: {address}\n" for kind, address in web.items()]
    assert read(folder, "".join(["sources:\n", *lines, "  - folder: talks\n"])) == (
        *(Source(kind, address, address) for kind, address in web.items()),
        Source(Kind.FOLDER, str(folder / "talks"), str(folder / "talks"), every_s=FOLDER_EVERY_S),
    )


RIGHT: dict[str, dict[str, Any]] = {
    "since": {"2024-01-31": date(2024, 1, 31), "'2024-02-29'": date(2024, 2, 29)},
    "newest_first": {"no": False, "On": True},
    "limit": {"1": 1, "010": 10, "' 100 '": 100, "1000000": 1_000_000, "~": None},
    "longer_than": {"90": 90.0, "1.5": 1.5, "90s": 90.0, "1h30m": 5400.0, "1h 30m 5s": 5405.0, "1.5h": 5400.0,
                    "1:30:00": 5400.0, "'1:30:00'": 5400.0, "90:00": 5400.0, "1:30": 90.0, "365d": 31_536_000.0},
    "shorter_than": {"10m": 600.0},
    "captions": {"true": True, "no": False},
    "keep_days": {"365": 365},
    "keep_videos": {"500": 500},
    "keep_audio_days": {"1": 1},
    "keep_corrected": {"no": False},
    "paused": {"true": True, "no": False},
    "skip_shorts": {"true": True},
    "skip_live": {"yes": True},
    "skip_members_only": {"false": False},
    "language": {"de": "de", "no": "no", "EN": "en"},
    "vocabulary": {"Nagg, Nell": ("Nagg", "Nell"), "[Nell, 'St. John', Nell, 2024]": ("Nell", "St. John", "2024"), "[]": (),
                   "'🎙 , \u0645\u0631\u06cc\u0645,,'": ("🎙", "\u0645\u0631\u06cc\u0645"), '"a\\0\\tb"': ("a b",)},
    "vocabulary_from": {"people": ("people",), "[title, Corrections]": ("corrections", "title"), "none": ()},
    "prompt": {"' Nagg  and Nell. '": "Nagg and Nell."},
    "languages": {"en": ("en",), "'EN, de,'": ("de", "en"), "[no, en]": ("en", "no"), "any": ()},
    "speakers": {"2": "2", "2-4": "2-4", "' 3 - 3 '": "3", "1+": "1+", "Any": ""},
    "priority": {"-10": -10, "+10": 10},
    "cookies": {"cookies.txt": Path("cookies.txt")},
    "proxy": {"socks5h://user:x@127.0.0.1:1080": "socks5h://user:x@127.0.0.1:1080", "http://[::1]:3128": "http://[::1]:3128"},
    "rate": {"1": 1, "500K": 512_000, "1.5M": 1_572_864, "1 g": 1_073_741_824},
    "at_once": {"8": 8},
    "pause": {"0": 0.0, "0.5s": 0.5},
    "every": {"10": 10.0, "1d": 86_400.0},
    "allow_private": {"true": True},
    "name": {"'  A talk: show 🎙👩‍🎤 '": "A talk: show 🎙👩‍🎤", "2024": "2024"},
}  # fmt: skip


@pytest.mark.parametrize(("key", "written", "value"), [(key, *pair) for key, pairs in RIGHT.items() for pair in pairs.items()])
def test_option_is_read(folder: Path, key: str, written: str, value: Any) -> None:
    (source,) = read(folder, with_lines(f"{key}: {written}"))
    option = getattr(source, f"{key}_s" if key in ("longer_than", "shorter_than", "pause", "every") else key)
    assert option == (folder / value if isinstance(value, Path) else value)
    assert type(option) is type(folder if isinstance(value, Path) else value)
    assert source.skip_members_only is (key not in ("cookies", "skip_members_only"))


@pytest.mark.parametrize("key", RIGHT)
def test_null_is_the_built_in_value(folder: Path, key: str) -> None:
    assert read(folder, with_lines(f"{key}: null")) == read(folder, with_lines())


def test_every_option_has_a_test() -> None:
    assert RIGHT.keys() | set(Address.model_fields) == {field.alias or name for name, field in SourceEntry.model_fields.items()}
    assert set(SourceEntry.model_fields) - set(Address.model_fields) | {"kind", "address"} == {
        field.name for field in fields(Source)
    }
    assert list(Address.model_fields) == list(Kind)


def test_folder_paths_are_resolved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.chdir("/")
    sources = read(folder, "sources: [{folder: ~/talks}, {folder: a/../b}, {folder: /srv/talks}]")
    assert [source.address for source in sources] == [str(folder / "home" / "talks"), str(folder / "b"), "/srv/talks"]


def test_option_overrides_defaults_and_null_resets(folder: Path) -> None:
    sources = read(
        folder,
        "defaults: {limit: 5, every: 1h, since: 2024-01-01, skip_shorts: true, proxy: 'http://p:1', cookies: cookies.txt}\n"
        f"sources: [{{feed: '{A}', limit: 7}}, {{feed: '{B}', limit: null, proxy: ~, skip_shorts: null}}, {{folder: talks}}]",
    )
    assert [(source.limit, source.every_s, source.since, source.skip_shorts, source.proxy) for source in sources] == [
        (7, 3600.0, date(2024, 1, 1), True, "http://p:1"),
        (None, 3600.0, date(2024, 1, 1), False, None),
        (5, 3600.0, None, False, None),
    ]
    assert [source.cookies for source in sources] == [folder / "cookies.txt", folder / "cookies.txt", None]
    assert [source.skip_members_only for source in sources] == [False, False, True]


def test_language_and_languages_replace_each_other(folder: Path) -> None:
    one, two, both = (read(folder, f"defaults: {{{given}}}\nsources: [{{feed: '{A}', {own}}}]")[0] for given, own in (
        ("language: en", "languages: 'de, fr'"), ("languages: 'de, fr'", "language: en"), ("language: en", "speakers: 2"),
    ))  # fmt: skip
    assert [(source.language, source.languages) for source in (one, two, both)] == [
        (None, ("de", "fr")), ("en", None), ("en", None)
    ]  # fmt: skip
    (mistake,) = refused(folder, with_lines("language: en", "languages: [en, de]")).mistakes
    assert (mistake.line, mistake.key) == (4, "languages")


def test_hints_of_any_length_are_bounded(folder: Path) -> None:
    words = ", ".join(f"word{number}" for number in range(10_000))
    (source,) = read(folder, with_lines(f"vocabulary: {words}", f"prompt: {words}"))
    assert source.vocabulary is not None
    assert source.vocabulary[:2] == ("word0", "word1")
    assert len("".join(source.vocabulary)) <= MOST_CHARACTERS
    assert len(str(source.prompt)) <= MOST_CHARACTERS


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "sources: []", "sources:\n", "{}", "~", "defaults:\nsources: null"])
def test_file_without_sources_is_valid(folder: Path, text: str) -> None:
    assert read(folder, text) == ()


def test_byte_order_mark_and_windows_line_ends_are_read(folder: Path) -> None:
    (folder / "sources.yaml").write_bytes(b"\xef\xbb\xbfsources:\r\n  - feed: https://a.example/\r\n")
    assert [source.address for source in read_sources(folder / "sources.yaml")] == [A]


def test_only_default_file_may_be_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="EARSHOT_SOURCES"):
        read_sources(folder / "sources.yaml")
    monkeypatch.setattr(sources_file, "project_folder", lambda: folder)
    assert read_sources(folder / "sources.yaml") == ()
    with pytest.raises(Misconfigured):
        read_sources(folder / "other.yaml")


def test_unreadable_file_is_refused(folder: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: Is a directory"):
        read_sources(folder)
    (folder / "sources.yaml").write_bytes(b"sources:\n  - feed: https://\xff.example/\n")
    with pytest.raises(InvalidConfig) as caught:
        read_sources(folder / "sources.yaml")
    assert [mistake.line for mistake in caught.value.mistakes] == [2]


# --- what is wrong with it -----------------------------------------------------------------------------------------------

WRONG = {
    "limit": ["0", "ten", "'1 0'", "1000001", "9" * 5000, "1.5", "", "''", "[1]", "{a: 1}"],
    "keep_days": ["0", "1y", "365d"],
    "keep_videos": ["0", "all"],
    "keep_audio_days": ["-1"],
    "keep_corrected": ["perhaps"],
    "since": ["2024-13-01", "20240131", "2024-01-31 10:00:00", "31.01.2024"],
    "skip_shorts": ["maybe"],
    "longer_than": ["1h30", "10 minutes", "-90", ".inf", "1:75", "1:75:00", "366d", "0.5"],
    "shorter_than": ["0"],
    "every": ["9.9"],
    "pause": ["-1"],
    "language": ["english", "klingon", ""],
    "vocabulary": ["{a: 1}", "[[a]]"],
    "vocabulary_from": ["peple", "[people, none]", "", "[[people]]"],
    "prompt": ["[a]"],
    "languages": ["english", "[en, klingon]", "", "[]", "[{en: 1}]"],
    "speakers": ["0", "two", "4-2", "2-0", "101", "-3", "2.5", "", "[2]"],
    "priority": ["11", "-11"],
    "rate": ["0", "0.0001K", "5 apples"],
    "at_once": ["9", "0"],
    "cookies": ["gone.txt", ".", "x" * 300, "~no_such_user/c.txt"],
    "proxy": ["ftp://proxy:21", "http://proxy:80/path", "http://:80"],
    "name": ['"two\\nlines"', "x" * 101],
    "channel": ["'@SomeChannel'", "www.youtube.com/@SomeChannel"],
    "feed": ["/home/me/feed.xml", "ftp://example.com/feed.xml", "https://", "https:///feed.xml",
             "https://example.com/a feed.xml", "https://example.com:port/", "https://example.com:0/", "'https://[::1/'"],
    "playlist": ["PL1"],
    "url": ["file:///etc/hostname", "", "~", "[https://example.com/]"],
    "folder": [A, "file:///srv", "~no_such_user/talks", "", '"a\\nb"'],
}  # fmt: skip


@pytest.mark.parametrize(("key", "written"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_value_is_refused(folder: Path, key: str, written: str) -> None:
    kind = key if key in Address.model_fields else "channel"
    text = with_lines("", f"{key}: {written}" if kind != key else "", kind=kind, address=written if kind == key else CHANNEL)
    (mistake,) = refused(folder, text).mistakes
    assert (mistake.line, mistake.key) == (2 if kind == key else 4, key)
    assert mistake.value.startswith(("'", '"', "empty", "a list", "a mapping", "hidden"))
    assert len(mistake.value) <= 100


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"- feed: {A}\n", 1),
        ("hello\n", 1),
        ("\nsources: https://a.example/\n", 2),
        ("sources:\n  feed: https://a.example/\n", 1),
        ("sources: &a [*a]\n", 1),
        ("defaults: [1]\n", 1),
        (f"sources:\n  - feed: {A}\n\tlimit: 3\n", 3),
        ("sources: # a\ttab\n  - channel: @SomeChannel\n", 2),
        (f"sources:\n  - feed: {A}\n    name: A: B\n", 3),
        ("sources: [{feed: 'https://a.example/'}\n", 2),
        ("sources: []\n---\nsources: []\n", 2),
        (f"sources:\n  - feed: *{SECRET}\n", 2),
        ("sources:\n  - feed: \x07\n", 2),
        (f"sources:\n  - feed: {A}\n   limit: 3\n", 3),
    ],
)
def test_wrong_shape_and_invalid_yaml_are_refused(folder: Path, text: str, line: int) -> None:
    error = refused(folder, text)
    assert [mistake.line for mistake in error.mistakes] == [line]
    assert SECRET not in str(error)


@pytest.mark.parametrize("key", RIGHT)
def test_web_options_are_refused_for_folder(folder: Path, key: str) -> None:
    text = with_lines(f"{key}: {next(iter(RIGHT[key]))}", kind="folder", address="talks")
    if key in WEB_ONLY.values():
        assert [(mistake.line, mistake.key) for mistake in refused(folder, text).mistakes] == [(3, key)]
    else:
        assert read(folder, text)[0].kind is Kind.FOLDER


LEAKS = """\
proxy: ftp://user:hunter2pass@proxy.example:80
proxy: user:hunter2pass@proxy.example:80
proxy: http://user:hunter2pass@proxy.example:port
proxy: http://user:hunter2pass
proxy: http://user:p@hunter2pass@proxy.example:99999
proxy: http://user:p@ss/#hunter2pass@proxy.example:99999
proxy: [http://user:hunter2pass@proxy.example:80]
cookies: SID=hunter2pass; HSID=x
feed: https://user:hunter2pass@a.example/
feed: ftp://user:hunter2pass@a.example/
feed: user:hunter2pass@a.example/feed.xml
feed: a.example/feed?token=hunter2pass
feed: https://user:pass/hunter2pass@a.example/
feed: user:p?hunter2pass@a.example/feed.xml
https://user:hunter2pass@a.example/: 1
proxi: http://user:hunter2pass@proxy.example:80
name: [hunter2pass]
proxy: {hunter2pass
proxy: "hunter2pass
proxy: hunter2pass: hunter2pass
proxy: !hunter2pass! x
proxy: *hunter2pass
"""


@pytest.mark.parametrize("line", LEAKS.splitlines())
def test_error_shows_no_secret(folder: Path, line: str) -> None:
    error = refused(folder, with_lines(line))
    assert SECRET not in f"{error} {error.mistakes}" + "".join(traceback.format_exception(error))


def test_name_and_repr_of_source_show_no_secret(folder: Path) -> None:
    feed = f"https://user:{SECRET}@a.example/feed.xml?token={SECRET}"
    (source,) = read(folder, with_lines(f"proxy: http://user:{SECRET}@proxy.example:80", kind="feed", address=feed))
    assert SECRET in source.address
    assert SECRET in str(source.proxy)
    assert "a.example/feed.xml" in source.name
    assert SECRET not in repr(source) + read(folder, with_lines(f"name: {feed}"))[0].name


# --- what is typed -------------------------------------------------------------------------------------------------------


def test_typed_source_is_folder_file_or_url(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "talks").mkdir()
    monkeypatch.setenv("HOME", str(folder))
    assert source_named("talks") == Source(Kind.FOLDER, str(folder / "talks"), str(folder / "talks"), newest_first=False)
    assert source_named("~/talks") == source_named("talks/") == source_named(str(folder / "talks"))
    assert (source_named("talk.mp3").kind, source_named("talk.mp3").address) == (Kind.URL, str(folder / "talk.mp3"))
    assert source_named("what:is this.mp3").address == str(folder / "what:is this.mp3")
    assert (source_named(CHANNEL).kind, source_named(CHANNEL).address) == (Kind.URL, CHANNEL)
    assert source_named("HTTPS://A.example/").address == "HTTPS://A.example/"
    assert SECRET not in source_named(f"https://user:{SECRET}@a.example/").name
    assert source_named(A, limit=3, newest_first=True, kind=Kind.FEED, name="Mine") == Source(Kind.FEED, A, "Mine", limit=3)


@pytest.mark.parametrize(
    "address",
    ["ftp://example.org/a.mp3", "file:///etc/hostname", f"s3://u:{SECRET}@bucket/a.mp3", "www.example.com",
     "example.com/feed.xml", "", "https://", "http://[::1", "https://a b/", "~no_such_user/talks", "a\0b", f"https://user:{SECRET}@a.example:0/"],
)  # fmt: skip
def test_wrong_typed_source_is_refused_without_secrets(address: str) -> None:
    with pytest.raises(SourceUnusable) as caught:
        source_named(address)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# --- what must agree -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "code"), [("english", "en"), ("Englisch", "en"), ("en-US", "en"), ("haitian creole", "ht"), ("deutsch", None)]
)
def test_language_code_is_suggested(folder: Path, written: str, code: str | None) -> None:
    (mistake,) = refused(folder, with_lines(f"language: {written}")).mistakes
    assert mistake.remedy == f"Did you mean {code}?" if code else mistake.remedy.startswith("Allowed: a code of whisper's")


def test_languages_match_whisper() -> None:
    assert frozenset(tokenizer._LANGUAGE_CODES) == LANGUAGES.keys()


def test_every_option_and_default_is_documented(folder: Path) -> None:
    rows = [row.split("|") for row in PAGE.splitlines() if row.startswith("| `")]
    documented = {key: row[2].strip().strip("`") for row in rows for key in re.findall(r"`(\w+)`", row[1])}
    assert {field.alias or name for name, field in SourceEntry.model_fields.items()} <= documented.keys()
    for key in (
        "newest_first",
        "skip_shorts",
        "skip_live",
        "priority",
        "at_once",
        "pause",
        "every",
        "keep_corrected",
        "allow_private",
    ):
        assert read(folder, with_lines(f"{key}: {documented[key]}")) == read(folder, with_lines()), key


def test_source_that_keeps_the_newest_starts_with_them(folder: Path) -> None:
    text = with_lines("keep_videos: 3", "newest_first: false")
    assert [mistake.message for mistake in refused(folder, text).mistakes] == [
        "newest_first is false, but keep_videos keeps the newest."
    ]


@pytest.mark.parametrize(
    ("options", "keeps"),
    [
        ("", ""),
        ("keep_days: 365", "videos for 365 days"),
        ("{keep_days: 1, keep_videos: 500, keep_audio_days: 30}", "videos for 1 day, the newest 500 videos, audio for 30 days"),
    ],
)
def test_source_says_what_it_keeps(folder: Path, options: str, keeps: str) -> None:
    (source,) = read(folder, with_lines(*options.strip("{}").split(", ")))
    assert source.keeps == keeps


def test_documented_examples_are_valid(folder: Path) -> None:
    own = (PROJECT_ROOT / "sources.yaml").read_text()
    assert read(folder, own) == ()
    for example in (
        re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0],
        re.sub("^#", "", own.split("\n\n", 1)[1].replace("# defaults", "#defaults"), flags=re.M),
    ):
        sources = read(folder, example)
        assert {source.kind for source in sources} == set(Kind)
        assert sources[0].skip_shorts


KEYS = st.sampled_from(["sources", "defaults", *Address.model_fields, *RIGHT])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=20),
                   st.sampled_from([A, "http://u:p@[::1", "1:30", "10m", "500K", "en", "~", "socks5://h:1"]))  # fmt: skip
TREES = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | VALUES, inner, max_size=6))
SOURCES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)
FILES = st.fixed_dictionaries({"sources": st.lists(SOURCES | TREES, max_size=4)}, optional={"defaults": SOURCES | TREES})
YAML = (FILES | TREES).map(lambda content: yaml.safe_dump(content, allow_unicode=True).encode())
NOISE = st.binary(max_size=60) | st.text("abc:-[]{}*&!|>'\"@%`#,?~\\ \t\n", max_size=60).map(str.encode)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(YAML | NOISE)
def test_any_file_is_read_or_refused_with_lines(folder: Path, content: bytes) -> None:
    (folder / "sources.yaml").write_bytes(content)
    try:
        sources, mistakes = read_sources(folder / "sources.yaml"), ()
    except InvalidConfig as error:
        sources, mistakes = (), error.mistakes
    assert all(hash(source) for source in sources)
    assert all(mistake.line for mistake in mistakes)
