"""Editing sources.yaml: everything but the edited source stays as it was, and a mistake changes nothing."""

from datetime import date
from pathlib import Path

import pytest

from earshot.common.errors import EarshotError, InvalidConfig, Unknown
from earshot.config.settings import PROJECT_ROOT
from earshot.config.sources_file import Kind, read_sources
from earshot.library.sources.editing import add_source, forget_source, kind_of, pause_source, set_options

MINE = """\
# mine
defaults:   # all
  skip_shorts: yes

sources:
- channel: "https://www.youtube.com/@Some"   # the best
  since: 2024-01-01
  # this many
  limit: 100

# the folder
- folder: '/tmp'
  language: no   # Norwegian
# the end
"""
FEED = "https://example.com/feed.xml"
STARTS = {
    "comments": (PROJECT_ROOT / "sources.yaml").read_text(),
    "nothing": "",
    "a remark": "# only\n",
    "an empty list": "sources: []  # none\n",
    "two sources": MINE,
    "no last line end": MINE.removesuffix("\n# the end\n"),
    "other keys behind": "sources:\n  - folder: /tmp\n\ndefaults:\n  priority: 2\n",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "sources.yaml"
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_added_source_leaves_the_rest_as_it_was(file: Path, start: str) -> None:
    file.write_text(start)
    count = len(read_sources(file))
    added = add_source(FEED, "feed", {"name": "Pod: cast # 1", "since": "2024-01-31", "limit": "", "skip_live": True})
    assert (added.name, added.since, added.skip_live) == ("Pod: cast # 1", date(2024, 1, 31), True)
    assert len(read_sources(file)) == count + 1
    lines = iter(file.read_text().splitlines())
    assert all(line in lines for line in start.replace("sources: []", "sources:").splitlines())


def test_first_source_makes_the_file(file: Path) -> None:
    add_source(FEED, "feed", {})
    assert file.read_text() == f"sources:\n  - feed: {FEED}\n"


@pytest.mark.parametrize("start", [STARTS["comments"], MINE])
def test_forgotten_source_leaves_no_trace(file: Path, start: str) -> None:
    file.write_text(start)
    add_source(FEED, "feed", {"name": "Podcast"})
    forget_source("Podcast")
    assert file.read_text() == start


def test_source_in_the_middle_is_forgotten_with_its_options(file: Path) -> None:
    file.write_text(MINE)
    forget_source("https://www.youtube.com/@Some")
    assert file.read_text() == MINE[: MINE.index("- channel")] + MINE[MINE.index("\n# the folder") :]


def test_pause_and_its_end(file: Path) -> None:
    file.write_text(MINE)
    assert pause_source("/tmp", paused=True).paused
    assert "  language: no   # Norwegian\n  paused: true\n# the end" in file.read_text()
    assert not pause_source("/tmp", paused=False).paused
    assert "  paused: false\n" in file.read_text()


HINTED = """\
sources:
- vocabulary:  # those of the play
    - Nagg
    - Nell  # she
  # the feed
  feed: https://x/feed.xml
  speakers: 2-4   # as a rule
  languages: [en,
    de
  ]
  prompt:
- folder: /tmp
"""


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"speakers": 3}, ["  speakers: 3   # as a rule"]),
        ({"languages": ["no"]}, ["  languages: ['no']", "  prompt:"]),
        ({"prompt": "Hi: #1"}, ["  prompt: 'Hi: #1'", "- folder: /tmp"]),
        ({"vocabulary": ["A"]}, ["- vocabulary: [A]", "  # the feed"]),
        ({"vocabulary": None}, ["- feed: https://x/feed.xml", "  # the feed", "  speakers: 2-4   # as a rule"]),
        ({"languages": None, "speakers": None}, ["  feed: https://x/feed.xml", "  prompt:"]),
        ({"vocabulary_from": "none", "prompt": None}, ["  ]", "  vocabulary_from: none", "- folder: /tmp"]),
    ],
)
def test_options_are_replaced_added_and_taken_out(file: Path, options: dict[str, object], lines: list[str]) -> None:
    file.write_text(HINTED)
    set_options("https://x/feed.xml", options)
    assert "\n".join(lines) in file.read_text()
    assert [source.address for source in read_sources(file)] == ["https://x/feed.xml", "/tmp"]


@pytest.mark.parametrize(
    ("address", "options", "problem"),
    [
        (FEED, {"limit": "0"}, "line 15: limit is '0'"),
        (FEED, {"sinse": "2024-01-01"}, "line 15: unknown key 'sinse'"),
        ("https://www.youtube.com/@Some", {}, "is on line 6 already"),
        ("ftp://example.com/feed", {}, "Allowed: an http or https URL"),
    ],
)
def test_mistake_changes_nothing(file: Path, address: str, options: dict[str, str], problem: str) -> None:
    file.write_text(MINE)
    with pytest.raises(InvalidConfig, match=problem):
        add_source(address, "feed", options)
    assert file.read_text() == MINE
    assert [path.name for path in file.parent.iterdir()] == ["sources.yaml"]


def test_invalid_file_is_not_edited(file: Path) -> None:
    file.write_text("sources:\n  - odd: 1\n")
    with pytest.raises(InvalidConfig, match="line 2"):
        add_source(FEED, "feed", {})


def test_list_in_brackets_is_not_edited(file: Path) -> None:
    file.write_text("sources: [{folder: /tmp}]\n")
    with pytest.raises(EarshotError, match="by hand"):
        add_source(FEED, "feed", {})


def test_unknown_source_is_named(file: Path) -> None:
    file.write_text(MINE)
    with pytest.raises(Unknown, match=r"It has: https://www\.youtube\.com/@Some, /tmp"):
        pause_source("absent", paused=True)


def test_rights_of_the_file_stay(file: Path) -> None:
    file.write_text(MINE)
    file.chmod(0o600)
    add_source(FEED, "feed", {})
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://www.youtube.com/@a", Kind.CHANNEL),
        ("https://youtube.com/channel/UC1/videos", Kind.CHANNEL),
        ("https://www.youtube.com/playlist?list=PL1", Kind.PLAYLIST),
        ("https://www.youtube.com/watch?v=1", Kind.URL),
        ("https://example.com/feed", Kind.FEED),
        ("https://example.com/a.rss", Kind.FEED),
        ("https://example.com/a.mp3", Kind.URL),
        ("~/recordings", Kind.FOLDER),
    ],
)
def test_kind_follows_from_the_address(address: str, kind: Kind) -> None:
    assert kind_of(address) is kind
