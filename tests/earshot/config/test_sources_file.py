"""What sources.yaml may hold, what becomes of it, and what is told about what is wrong in it: line, key, value, remedy."""

import re
import textwrap
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

from earshot.common.errors import Misconfigured, SourceUnusable
from earshot.config import sources_file
from earshot.config.settings import PROJECT_ROOT
from earshot.config.source_options import LANGUAGES, addresses, options
from earshot.config.sources_file import FOLDER_EVERY_S, Kind, Source, read_sources, source_named

CHANNEL = "https://www.youtube.com/@SomeChannel"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of sources.yaml, where the process runs too, so that errors call the file by its bare name."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, text: str) -> tuple[Source, ...]:
    (folder / "sources.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return read_sources(folder / "sources.yaml")


def read_one(folder: Path, *lines: str, kind: str = "channel", address: str = CHANNEL) -> Source:
    """The one source of a file in which it stands on line 2 and `lines` below it."""
    (source,) = read(folder, "\n".join(["sources:", f"  - {kind}: {address}", *(f"    {line}" for line in lines), ""]))
    return source


def refused(folder: Path, text: str) -> Misconfigured:
    with pytest.raises(Misconfigured) as told:
        read(folder, text)
    return told.value


def refused_one(folder: Path, *lines: str, kind: str = "channel", address: str = CHANNEL) -> Misconfigured:
    with pytest.raises(Misconfigured) as told:
        read_one(folder, *lines, kind=kind, address=address)
    return told.value


# --- what it holds -------------------------------------------------------------------------------------------------------


def test_each_kind_is_read_in_the_order_of_the_file(folder: Path) -> None:
    sources = read(
        folder,
        """\
        sources:
          - channel: https://www.youtube.com/@SomeChannel
          - feed: HTTPS://example.com/podcast.xml
            name: My podcast
          - folder: recordings
          - playlist: https://www.youtube.com/playlist?list=PL1
          - url: http://127.0.0.1:8000/talk.mp3
        """,
    )
    assert [(source.kind, source.address) for source in sources] == [
        (Kind.CHANNEL, CHANNEL),
        (Kind.FEED, "HTTPS://example.com/podcast.xml"),
        (Kind.FOLDER, str(folder / "recordings")),
        (Kind.PLAYLIST, "https://www.youtube.com/playlist?list=PL1"),
        (Kind.URL, "http://127.0.0.1:8000/talk.mp3"),
    ]
    assert [sources[0].name, sources[1].name, sources[2].name] == [CHANNEL, "My podcast", str(folder / "recordings")]


def test_a_source_without_options_is_as_the_contract_says(folder: Path) -> None:
    assert read_one(folder) == Source(Kind.CHANNEL, CHANNEL, CHANNEL)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("since: 2024-01-31", "since", date(2024, 1, 31)),
        ("since: '2024-02-29'", "since", date(2024, 2, 29)),
        ("newest_first: no", "newest_first", False),
        ("newest_first: On", "newest_first", True),
        ("limit: 1", "limit", 1),
        ("limit: 010", "limit", 10),  # 8 to YAML
        ("limit: ' 100 '", "limit", 100),
        ("longer_than: 90", "longer_than_s", 90.0),
        ("longer_than: 1.5", "longer_than_s", 1.5),
        ("longer_than: 90s", "longer_than_s", 90.0),
        ("longer_than: 1h30m", "longer_than_s", 5400.0),
        ("longer_than: 1h 30m 5s", "longer_than_s", 5405.0),
        ("longer_than: 1.5h", "longer_than_s", 5400.0),
        ("longer_than: 1:30:00", "longer_than_s", 5400.0),
        ("longer_than: '1:30:00'", "longer_than_s", 5400.0),
        ("longer_than: 90:00", "longer_than_s", 5400.0),
        ("shorter_than: 10m", "shorter_than_s", 600.0),
        ("skip_shorts: true", "skip_shorts", True),
        ("skip_live: yes", "skip_live", True),
        ("skip_members_only: false", "skip_members_only", False),
        ("language: de", "language", "de"),
        ("language: no", "language", "no"),  # False to YAML
        ("language: EN", "language", "en"),
        ("priority: -10", "priority", -10),
        ("priority: +10", "priority", 10),
        ("proxy: socks5h://user:secret@127.0.0.1:1080", "proxy", "socks5h://user:secret@127.0.0.1:1080"),
        ("proxy: http://[::1]:3128", "proxy", "http://[::1]:3128"),
        ("rate: 1", "rate", 1),
        ("rate: 500K", "rate", 512_000),
        ("rate: 1.5M", "rate", 1_572_864),
        ("rate: 1 g", "rate", 1_073_741_824),
        ("at_once: 8", "at_once", 8),
        ("pause: 0", "pause_s", 0.0),
        ("pause: 0.5s", "pause_s", 0.5),
        ("every: 10", "every_s", 10.0),
        ("every: 1d", "every_s", 86_400.0),
        ("every: 365d", "every_s", 31_536_000.0),
        ("allow_private: true", "allow_private", True),
        ("name: '  A talk: show 🎙👩‍🎤 '", "name", "A talk: show 🎙👩‍🎤"),
        ("name: 2024", "name", "2024"),
    ],
)
def test_an_option_is_read_as_it_is_written(folder: Path, line: str, field: str, value: Any) -> None:
    source = read_one(folder, line)
    assert getattr(source, field) == value
    assert type(getattr(source, field)) is type(value)


def test_minutes_and_seconds_are_what_yaml_too_makes_of_them(folder: Path) -> None:
    assert yaml.safe_load("1:30") == 90
    assert read_one(folder, "longer_than: 1:30").longer_than_s == 90.0


def test_cookies_are_a_file_beside_sources_yaml_and_let_members_only_videos_in(folder: Path) -> None:
    (folder / "cookies.txt").write_text("# Netscape HTTP Cookie File\n")
    source = read_one(folder, "cookies: cookies.txt")
    assert source.cookies == folder / "cookies.txt"
    assert not source.skip_members_only
    assert read_one(folder, "cookies: cookies.txt", "skip_members_only: true").skip_members_only


def test_a_folder_may_lie_in_the_home_or_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    assert read_one(folder, kind="folder", address="~/talks").address == str(folder / "home" / "talks")
    assert read_one(folder, kind="folder", address="a/../b").address == str(folder / "b")
    assert read_one(folder, kind="folder", address="/srv/talks").address == "/srv/talks"


def test_relative_paths_start_at_the_file_and_not_where_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "sources.yaml").write_text("sources: [{folder: talks}]")
    assert read_sources(tmp_path / "sources.yaml")[0].address == str(tmp_path / "talks")


def test_defaults_hold_for_every_source_and_its_own_option_wins(folder: Path) -> None:
    sources = read(
        folder,
        """\
        defaults:
          limit: 5
          every: 1h
          since: 2024-01-01
          skip_shorts: true
          proxy: http://proxy:3128
        sources:
          - channel: https://a.example/
            limit: 7
          - channel: https://b.example/
            limit: null
            proxy: ~
            skip_shorts: null
          - folder: talks
        """,
    )
    assert [(source.limit, source.every_s, source.since, source.skip_shorts, source.proxy) for source in sources] == [
        (7, 3600.0, date(2024, 1, 1), True, "http://proxy:3128"),
        (None, 3600.0, date(2024, 1, 1), False, None),
        (5, 3600.0, None, False, None),
    ]


def test_cookies_of_the_defaults_are_not_for_folders(folder: Path) -> None:
    (folder / "cookies.txt").touch()
    sources = read(folder, "defaults: {cookies: cookies.txt}\nsources: [{folder: talks}, {feed: 'https://a.example/'}]")
    assert [source.cookies for source in sources] == [None, folder / "cookies.txt"]
    assert [source.skip_members_only for source in sources] == [True, False]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "sources: []", "sources:\n", "{}", "~", "defaults:\nsources: null"])
def test_a_file_that_names_no_source_is_no_error(folder: Path, text: str) -> None:
    assert read(folder, text) == ()


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_error(folder: Path) -> None:
    (folder / "sources.yaml").write_bytes(b"\xef\xbb\xbfsources:\r\n  - feed: https://a.example/\r\n")
    assert [source.address for source in read_sources(folder / "sources.yaml")] == ["https://a.example/"]


def test_only_the_clones_own_file_may_be_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured) as told:
        read_sources(folder / "sources.yaml")
    assert told.value.message == f"There is no file {folder / 'sources.yaml'}."
    assert "EARSHOT_SOURCES" in told.value.remedy
    monkeypatch.setattr(sources_file, "PROJECT_ROOT", folder)
    assert read_sources(folder / "sources.yaml") == ()
    with pytest.raises(Misconfigured):
        read_sources(folder / "other.yaml")


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    with pytest.raises(Misconfigured, match=re.escape(f"{folder} cannot be read: Is a directory.")):
        read_sources(folder)
    (folder / "sources.yaml").write_bytes(b"sources:\n  - feed: https://\xff.example/\n")
    with pytest.raises(Misconfigured, match=r"^sources\.yaml, line 2: not UTF-8\. Save"):
        read_sources(folder / "sources.yaml")


# --- what is wrong with it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "shown", "allowed"),
    [
        ("limit: 0", "limit is 0.", "a whole number from 1 to 1000000."),
        ("limit: ten", "limit is 'ten'.", "a whole number from 1 to 1000000."),
        ("limit: '1 0'", "limit is '1 0'.", "a whole number from 1 to 1000000."),
        ("limit: 1000001", "limit is 1000001.", "a whole number from 1 to 1000000."),
        (f"limit: {'9' * 5000}", "limit is '999", "a whole number from 1 to 1000000."),
        ("limit: 1.5", "limit is 1.5.", "a whole number from 1 to 1000000."),
        ("limit:", "limit is empty.", "a whole number from 1 to 1000000."),
        ("limit: ''", "limit is empty.", "a whole number from 1 to 1000000."),
        ("limit: [1]", "limit is a list.", "a whole number from 1 to 1000000."),
        ("limit: {a: 1}", "limit is a mapping.", "a whole number from 1 to 1000000."),
        ("since: 2024-13-01", "since is 2024-13-01.", "a date such as 2024-01-31."),
        ("since: 20240131", "since is 20240131.", "a date such as 2024-01-31."),
        ("since: 2024-01-31 10:00:00", "since is 2024-01-31 10:00:00.", "a date such as 2024-01-31."),
        ("since: 31.01.2024", "since is '31.01.2024'.", "a date such as 2024-01-31."),
        ("skip_shorts: maybe", "skip_shorts is 'maybe'.", "true or false."),
        ("skip_live: 1", "skip_live is 1.", "true or false."),
        ("longer_than: 1h30", "longer_than is '1h30'.", "from 1s to 365d."),
        ("longer_than: 10 minutes", "longer_than is '10 minutes'.", "from 1s to 365d."),
        ("longer_than: -90", "longer_than is -90.", "from 1s to 365d."),
        ("longer_than: .inf", "longer_than is .inf.", "from 1s to 365d."),
        ("longer_than: 1:75", "longer_than is '1:75'.", "from 1s to 365d."),
        ("longer_than: 1:75:00", "longer_than is '1:75:00'.", "from 1s to 365d."),
        ("shorter_than: 0", "shorter_than is 0.", "from 1s to 365d."),
        ("every: 9.9", "every is 9.9.", "from 10s to 365d."),
        ("every: 366d", "every is '366d'.", "from 10s to 365d."),
        ("pause: -1", "pause is -1.", "from 0s to 365d."),
        ("language: english", "language is 'english'.", "a code of whisper's: af am ar"),
        ("priority: 11", "priority is 11.", "a whole number from -10 to 10."),
        ("rate: 0", "rate is 0.", "bytes per second, from 1"),
        ("rate: 0.0001K", "rate is '0.0001K'.", "bytes per second, from 1"),
        ("rate: 5 apples", "rate is '5 apples'.", "bytes per second, from 1"),
        ("at_once: 9", "at_once is 9.", "a whole number from 1 to 8."),
        ("at_once: 0", "at_once is 0.", "a whole number from 1 to 8."),
        ("cookies: gone.txt", "cookies is 'gone.txt'.", "the path of a file that exists"),
        ("cookies: .", "cookies is '.'.", "the path of a file that exists"),
        (f"cookies: {'x' * 300}", "cookies is 'xxx", "the path of a file that exists"),
        ("cookies: ~no_such_user/c.txt", "cookies is '~no_such_user/c.txt'.", "the path of a file that exists"),
        ("proxy: ftp://proxy:21", "proxy is 'ftp://proxy'.", "one of http, https, socks4, socks5, socks5h;"),
        ("proxy: http://proxy:80/path", "proxy is 'http://proxy'.", "one of http, https, socks4, socks5, socks5h;"),
        ("proxy: http://:80", "proxy is 'http://'.", "one of http, https, socks4, socks5, socks5h;"),
        ('name: "two\\nlines"', "name is 'two\\nlines'.", "some words, at most 100 characters."),
        (f"name: {'x' * 101}", "name is 'xxx", "some words, at most 100 characters."),
    ],
)
def test_a_wrong_value_is_told_with_file_line_key_value_and_what_is_allowed(
    folder: Path, line: str, shown: str, allowed: str
) -> None:
    error = refused_one(folder, "", "# a remark", line)
    assert error.message.startswith(f"sources.yaml, line 5: {shown}")
    assert error.remedy.startswith("Allowed: ")
    assert allowed in error.remedy
    assert len(error.message) < 150


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        ("channel", "'@SomeChannel'", "'@SomeChannel'"),
        ("channel", "www.youtube.com/@SomeChannel", "'www.youtube.com/@SomeChannel'"),
        ("feed", "/home/me/feed.xml", "'/home/me/feed.xml'"),
        ("feed", "ftp://example.com/feed.xml", "'ftp://example.com/feed.xml'"),
        ("feed", "https://", "'https://'"),
        ("feed", "https:///feed.xml", "'https:///feed.xml'"),
        ("feed", "https://example.com/a feed.xml", "'https://example.com/a feed.xml'"),
        ("feed", "https://example.com:port/", "'https://example.com:port/'"),
        ("feed", "https://example.com:0/", "'https://example.com:0/'"),
        ("feed", "'https://[::1/'", "'https://[::1/'"),
        ("playlist", "PL1", "'PL1'"),
        ("url", "file:///etc/hostname", "'file:///etc/hostname'"),
        ("url", "", "empty"),
        ("url", "~", "'~'"),
        ("url", "[https://example.com/]", "a list"),
        ("folder", "https://example.com/", "'https://example.com/'"),
        ("folder", "file:///srv", "'file:///srv'"),
        ("folder", "~no_such_user/talks", "'~no_such_user/talks'"),
        ("folder", "", "empty"),
    ],
)
def test_an_address_that_is_not_of_its_kind_is_told(folder: Path, kind: str, address: str, shown: str) -> None:
    error = refused_one(folder, kind=kind, address=address)
    assert error.message == f"sources.yaml, line 2: {kind} is {shown}."
    assert error.remedy.startswith("Allowed: the path of a folder" if kind == "folder" else "Allowed: an http or https URL")


def test_unknown_key_names_nearest_known_key_alone(folder: Path) -> None:
    error = refused_one(folder, "sinse: 2024-01-01")
    assert error.message == "sources.yaml, line 3: unknown key 'sinse'."
    assert error.remedy == "Did you mean since?"
    assert refused_one(folder, "LIMIT: 3").remedy == "Did you mean limit?"


def test_unknown_key_that_resembles_none_lists_all_keys(folder: Path) -> None:
    error = refused_one(folder, "xyzzy: 3")
    assert error.remedy.startswith("Allowed: channel, playlist, feed, folder, url, name, since, ")
    assert [key for key in (*addresses(folder), *options(folder)) if f" {key}" not in error.remedy] == []
    assert refused_one(folder, "[a, b]: 3").message == "sources.yaml, line 3: unknown key 'a list'."


def test_an_unknown_key_beside_the_sources_is_told(folder: Path) -> None:
    error = refused(folder, "source:\n  - feed: https://a.example/\n")
    assert str(error) == "sources.yaml, line 1: unknown key 'source'. Did you mean sources?"


@pytest.mark.parametrize("line", ["channel: https://a.example/", "name: all of them"])
def test_defaults_hold_neither_addresses_nor_names(folder: Path, line: str) -> None:
    error = refused(folder, f"defaults:\n  {line}\nsources: []\n")
    assert error.message == f"sources.yaml, line 2: unknown key {line.partition(':')[0]!r}."
    assert "name" not in error.remedy
    assert "since, newest_first, " in error.remedy


def test_a_key_that_is_given_twice_is_told_with_both_lines(folder: Path) -> None:
    assert refused_one(folder, "limit: 3", "limit: 4").message == ("sources.yaml, line 4: limit is given twice, on line 3 too.")
    assert refused(folder, "sources: []\nsources: []\n").message.startswith("sources.yaml, line 2: sources is given twice")


def test_a_source_has_one_kind(folder: Path) -> None:
    assert str(refused_one(folder, "feed: https://b.example/")) == (
        "sources.yaml, line 2: a source is channel and feed at once. Allowed: one of channel, playlist, feed, folder, url."
    )
    assert refused(folder, "sources:\n  - name: Mine\n").message == "sources.yaml, line 2: a source has no kind."
    assert refused(folder, "sources:\n  -\n").message == "sources.yaml, line 2: a source has no kind."


def test_one_address_is_named_once(folder: Path) -> None:
    error = refused(folder, "sources:\n  - feed: https://a.example/x\n    limit: 1\n  - url: https://a.example/x\n")
    assert error.message == "sources.yaml, line 4: url 'https://a.example/x' is on line 2 already."
    error = refused(folder, "sources:\n  - folder: a\n  - folder: ./b/../a\n")
    assert error.message == f"sources.yaml, line 3: folder {str(folder / 'a')!r} is on line 2 already."


def test_a_name_is_given_once(folder: Path) -> None:
    error = refused(folder, "sources:\n  - feed: https://a.example/\n    name: A\n  - feed: https://b.example/\n    name: A\n")
    assert str(error) == "sources.yaml, line 4: the source on line 2 is called 'A' already. Give one of them another `name`."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- feed: https://a.example/\n", "line 1: the file is a list. Begin it with `sources:`."),
        ("hello\n", "line 1: the file is a single value. Begin it with `sources:`."),
        ("sources: https://a.example/\n", "line 1: sources is 'https://a.example/'. A source is an entry"),
        ("sources:\n  feed: https://a.example/\n", "line 1: sources is a mapping. A source is an entry"),
        ("sources:\n  - https://a.example/\n", "line 2: a source is a single value. A source is an entry"),
        ("sources:\n  - [feed]\n", "line 2: a source is a list. A source is an entry"),
        ("defaults: [1]\n", "line 1: defaults is a list. Write one `option: value` per line below it."),
    ],
)
def test_a_file_of_another_shape_is_told(folder: Path, text: str, told: str) -> None:
    assert str(refused(folder, text)).startswith(f"sources.yaml, {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources:\n\t- feed: https://a.example/\n", "line 2: not YAML: .* Indent with spaces, not tabs"),
        ("sources:\n  - feed: https://a.example/\n\tlimit: 3\n", "line 3: not YAML: .* Indent with spaces, not tabs"),
        ("sources: # a\ttab\n  - channel: @SomeChannel\n", "line 2: not YAML: found character.* quote a value .* @"),
        ("sources:\n  - feed: https://a.example/\n    name: A: B\n", "line 3: not YAML: mapping values.* quote a value"),
        ("sources: [{feed: 'https://a.example/'}\n", "line 2: not YAML: did not find"),
        ("sources: []\n---\nsources: []\n", "line 2: not YAML: but found another document"),
        ("sources:\n  - feed: *secret\n", "line 2: not YAML: found undefined alias"),
        ("sources:\n  - feed: \x07\n", "line 2: there is a control character"),
        ("sources:\n  - feed: https://a.example/\n   limit: 3\n", "line 3: not YAML: .* indented"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(folder: Path, text: str, told: str) -> None:
    error = refused(folder, text)
    assert re.match(rf"sources\.yaml, {told}", str(error)), str(error)
    assert "secret" not in str(error)


FOR_THE_WEB = ("since: 2024-01-01", "skip_shorts: yes", "skip_live: yes", "skip_members_only: yes", "cookies: c.txt",
               "proxy: http://p:1", "rate: 1K", "at_once: 2", "pause: 1", "allow_private: yes")  # fmt: skip


@pytest.mark.parametrize("line", FOR_THE_WEB)
def test_what_makes_no_sense_for_a_folder_is_refused_there(folder: Path, line: str) -> None:
    (folder / "c.txt").touch()
    error = refused_one(folder, line, kind="folder", address="talks")
    assert error.message == f"sources.yaml, line 3: {line.partition(':')[0]} makes no sense for a folder."
    assert getattr(read_one(folder, line), line.partition(":")[0].replace("pause", "pause_s")) is not None


def test_every_other_option_is_good_for_a_folder(folder: Path) -> None:
    lines = ("newest_first: no", "limit: 2", "longer_than: 1m", "shorter_than: 1h", "language: en", "priority: 1", "every: 20",
             "name: Talks")  # fmt: skip
    assert read_one(folder, *lines, kind="folder", address="talks") == Source(
        Kind.FOLDER, str(folder / "talks"), "Talks", newest_first=False, limit=2, longer_than_s=60.0, shorter_than_s=3600.0,
        language="en", priority=1, every_s=20.0,
    )  # fmt: skip
    written = {line.partition(":")[0] for line in (*lines, *FOR_THE_WEB)}
    assert written == set(options(folder))


def test_a_folder_is_looked_at_every_minute_unless_the_user_says_otherwise(folder: Path) -> None:
    assert read_one(folder, kind="folder", address="talks").every_s == FOLDER_EVERY_S == 60.0
    [shared] = read(folder, "defaults:\n  every: 2h\nsources:\n  - folder: talks\n")
    assert shared.every_s == 7200.0


def test_a_range_of_lengths_that_leaves_nothing_is_refused(folder: Path) -> None:
    error = refused_one(folder, "limit: 1", "shorter_than: 10m", "longer_than: 10m")
    assert error.message == "sources.yaml, line 4: longer_than is 600 s and shorter_than 600 s, which leaves nothing."
    error = refused(folder, "defaults:\n  longer_than: 1h\nsources:\n  - feed: https://a.example/\n    shorter_than: 1m\n")
    assert error.message.startswith("sources.yaml, line 5: longer_than is 3600 s and shorter_than 60 s")
    error = refused(folder, "defaults: {longer_than: 1h, shorter_than: 1h}\nsources:\n  - feed: https://a.example/\n")
    assert error.message.startswith("sources.yaml, line 3: longer_than is 3600 s and shorter_than 3600 s")
    assert read_one(folder, "longer_than: 599", "shorter_than: 10m").shorter_than_s == 600.0


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    error = refused(
        folder,
        """\
        defaults:
          rate: fast
        sources:
          - channel: https://a.example/
            limit: 0
          - folder: talks
            sinse: 2024-01-01
            proxy: nothing
          - feed: https://a.example/
          - feed: ftp://b.example/
            every: 1
        """,
    )
    lines = str(error).splitlines()
    assert [line.partition(". ")[0] for line in lines] == [
        "sources.yaml, line 2: rate is 'fast'",
        "sources.yaml, line 5: limit is 0",
        "sources.yaml, line 7: unknown key 'sinse'",
        "sources.yaml, line 8: proxy is hidden here, as it may be a secret",
        "sources.yaml, line 8: proxy makes no sense for a folder",
        "sources.yaml, line 9: feed 'https://a.example/' is on line 4 already",
        "sources.yaml, line 10: feed is 'ftp://b.example/'",
        "sources.yaml, line 11: every is 1",
    ]
    assert all("Allowed: " in line for line in lines if " is " in line and "already" not in line)


def test_an_error_calls_a_file_elsewhere_by_its_whole_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("sources: 3")
    with pytest.raises(Misconfigured, match=re.escape(f"{path}, line 1: sources is 3.")):
        read_sources(path)


# --- secrets -------------------------------------------------------------------------------------------------------------

SECRET = "hunter2pass"


@pytest.mark.parametrize(
    "line",
    [
        f"proxy: ftp://user:{SECRET}@proxy.example:80",
        f"proxy: user:{SECRET}@proxy.example:80",
        f"proxy: http://user:{SECRET}@proxy.example:port",
        f"proxy: http://user:{SECRET}",
        f"proxy: http://user:p@{SECRET}@proxy.example:99999",
        f"proxy: http://user:p@ss/#{SECRET}@proxy.example:99999",
        f"proxy: [http://user:{SECRET}@proxy.example:80]",
        f"cookies: SID={SECRET}; HSID=x",
        f"feed: https://user:{SECRET}@a.example/",
        f"https://user:{SECRET}@a.example/: 1",
        f"proxi: http://user:{SECRET}@proxy.example:80",
        f"name: [{SECRET}]",
        f"proxy: {{{SECRET}",
        f'proxy: "{SECRET}',
        f"proxy: {SECRET}: {SECRET}",
        f"proxy: !{SECRET}! x",
        f"proxy: *{SECRET}",
    ],
)
def test_no_error_holds_a_secret(folder: Path, line: str) -> None:
    assert SECRET not in str(refused_one(folder, line))


@pytest.mark.parametrize(
    "address",
    [
        f"ftp://user:{SECRET}@a.example/",
        f"user:{SECRET}@a.example/feed.xml",
        f"a.example/feed?token={SECRET}",
    ],
)
def test_no_error_holds_the_secret_of_an_address(folder: Path, address: str) -> None:
    error = refused_one(folder, kind="feed", address=address)
    assert SECRET not in str(error)
    assert "a.example" in str(error)


@pytest.mark.parametrize("address", [f"https://user:pass/{SECRET}@a.example/", f"user:p?{SECRET}@a.example/feed.xml"])
def test_an_address_whose_password_was_not_escaped_is_not_shown(folder: Path, address: str) -> None:
    error = refused_one(folder, kind="feed", address=address)
    assert error.message == "sources.yaml, line 2: feed is hidden here, as it may be a secret."


def test_a_password_of_digits_is_hidden_as_any_other(folder: Path) -> None:
    assert "12345678" not in str(refused_one(folder, "proxy: 12345678"))


def test_the_error_of_a_proxy_shows_its_scheme_and_host(folder: Path) -> None:
    error = refused_one(folder, f"proxy: socks9://user:{SECRET}@proxy.example:1080/path")
    assert error.message == "sources.yaml, line 3: proxy is 'socks9://proxy.example'."


def test_a_source_keeps_its_secrets_out_of_its_name_and_of_its_repr(folder: Path) -> None:
    feed = f"https://user:{SECRET}@a.example/feed.xml?token={SECRET}"
    source = read_one(folder, f"proxy: http://user:{SECRET}@proxy.example:80", kind="feed", address=feed)
    assert SECRET in source.address
    assert SECRET in str(source.proxy)
    assert "a.example/feed.xml" in source.name
    assert SECRET not in source.name
    assert SECRET not in repr(source)
    assert SECRET not in read_one(folder, f"name: {feed}").name


def test_feeds_that_differ_in_a_secret_alone_need_names(folder: Path) -> None:
    lines = [f"  - feed: https://a.example/feed.xml?token={number}{SECRET}\n" for number in (1, 2)]
    error = refused(folder, "sources:\n" + "".join(lines))
    assert "Give one of them another `name`." in str(error)
    assert SECRET not in str(error)
    assert len(read(folder, "sources:\n" + "    name: One\n".join([*lines, ""]).replace("One", "Two", 1))) == 2


# --- what is typed -------------------------------------------------------------------------------------------------------


def test_what_is_typed_is_a_folder_a_file_or_a_url(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "talks").mkdir()
    monkeypatch.setenv("HOME", str(folder))
    assert source_named("talks") == Source(Kind.FOLDER, str(folder / "talks"), str(folder / "talks"), newest_first=False)
    assert source_named("~/talks") == source_named("talks/") == source_named(str(folder / "talks"))
    assert (source_named("talk.mp3").kind, source_named("talk.mp3").address) == (Kind.URL, str(folder / "talk.mp3"))
    assert source_named("what:is this.mp3").address == str(folder / "what:is this.mp3")
    assert (source_named(CHANNEL).kind, source_named(CHANNEL).address) == (Kind.URL, CHANNEL)
    assert source_named("HTTPS://A.example/").address == "HTTPS://A.example/"


def test_what_is_typed_takes_further_fields() -> None:
    source = source_named(CHANNEL, limit=3, newest_first=True, kind=Kind.CHANNEL, name="Mine")
    assert source == Source(Kind.CHANNEL, CHANNEL, "Mine", limit=3)


@pytest.mark.parametrize("address", ["ftp://example.org/a.mp3", "file:///etc/hostname", f"s3://u:{SECRET}@bucket/a.mp3"])
def test_only_http_and_https_are_fetched(address: str) -> None:
    with pytest.raises(SourceUnusable, match=r"only http and https URLs are fetched\. Name a local file by its path") as told:
        source_named(address)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("address", ["", "https://", "http://[::1", "https://a b/", "~no_such_user/talks", "a\0b"])
def test_what_is_neither_url_nor_path_is_told(address: str) -> None:
    with pytest.raises(SourceUnusable, match="neither a URL nor a path"):
        source_named(address)


def test_the_secrets_of_a_typed_url_are_not_in_what_dagster_keeps_of_its_error() -> None:
    with pytest.raises(SourceUnusable) as told:
        source_named(f"https://user:{SECRET}@a.example:0/")
    assert SECRET not in "".join(traceback.format_exception(told.value))


def test_the_secrets_of_a_typed_url_are_not_in_its_name() -> None:
    assert SECRET not in source_named(f"https://user:{SECRET}@a.example/").name


# --- what must keep up ---------------------------------------------------------------------------------------------------


def test_the_languages_are_those_of_whisper() -> None:
    assert frozenset(tokenizer._LANGUAGE_CODES) == LANGUAGES


def test_every_field_of_a_source_can_be_set_and_every_kind_be_named(folder: Path) -> None:
    settable = {option.field for option in options(folder).values()}
    assert settable | {"kind", "address"} == {field.name for field in fields(Source)}
    assert list(addresses(folder)) == list(Kind)


def test_every_key_and_its_default_is_in_the_docs(folder: Path) -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "sources-file.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    first_columns = " ".join(row.split("|")[1] for row in rows)
    assert [key for key in (*addresses(folder), *options(folder)) if f"`{key}`" not in first_columns] == []
    defaults = {
        key: cell
        for row in rows
        for key in re.findall(r"`(\w+)`", row.split("|")[1])
        if (cell := row.split("|")[2].strip().strip("`")) and key in options(folder)
    }
    built_in = Source(Kind.URL, CHANNEL, CHANNEL)
    for key in ("newest_first", "skip_shorts", "skip_live", "priority", "at_once", "pause", "every", "allow_private"):
        assert getattr(read_one(folder, f"{key}: {defaults[key]}"), options(folder)[key].field) == getattr(
            built_in, options(folder)[key].field
        ), key


def test_the_clones_own_file_watches_nothing_until_its_examples_are_let_in(folder: Path) -> None:
    text = (PROJECT_ROOT / "sources.yaml").read_text()
    assert read_sources(PROJECT_ROOT / "sources.yaml") == ()
    introduction, examples = text.split("\n\n", 1)
    assert introduction.startswith("# ")
    sources = read(folder, re.sub(r"^#", "", examples.replace("# defaults", "#defaults"), flags=re.MULTILINE))
    assert {source.kind for source in sources} == set(Kind)
    assert sources[0].skip_shorts


def test_the_example_of_the_docs_is_good(folder: Path) -> None:
    page = (PROJECT_ROOT / "docs" / "reference" / "sources-file.md").read_text()
    example, *_ = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert {source.kind for source in read(folder, example)} == set(Kind)


# --- anything at all -----------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        "sources",
        "defaults",
        *(kind.value for kind in Kind),
        *(field.name for field in fields(Source)),
        "longer_than",
        "pause",
        "every",
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=20),
    st.sampled_from(["https://a.example/", "http://u:p@[::1", "1:30", "10m", "500K", "en", "no", "~", "a/b", "socks5://h:1"]),
)
TREES = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | VALUES, inner, max_size=6))
SOURCES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)
FILES = st.fixed_dictionaries({"sources": st.lists(SOURCES | TREES, max_size=4)}, optional={"defaults": SOURCES | TREES})


def reads_or_tells(path: Path) -> None:
    try:
        sources: tuple[Source, ...] = read_sources(path)
        told = ""
    except Misconfigured as error:
        sources, told = (), str(error)
    assert all(isinstance(source, Source) and hash(source) for source in sources)
    assert not told or re.match(r".*sources\.yaml, line \d+: ", told)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES | TREES)
def test_whatever_yaml_holds_it_is_read_or_told(folder: Path, content: Any) -> None:
    (folder / "sources.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    reads_or_tells(folder / "sources.yaml")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text("abc:-[]{}*&!|>'\"@%`#,?~\\ \t\n", max_size=60).map(str.encode))
def test_whatever_the_file_is_it_is_read_or_told(folder: Path, content: bytes) -> None:
    (folder / "sources.yaml").write_bytes(content)
    reads_or_tells(folder / "sources.yaml")
