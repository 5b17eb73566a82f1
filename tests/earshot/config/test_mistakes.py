"""The message of every mistake: `mistakes/` has files with everything that can be wrong, and the error about each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earshot.common.errors import InvalidConfig, Misconfigured
from earshot.config.mistakes import is_empty
from earshot.config.people_file import read_people
from earshot.config.settings import read_settings
from earshot.config.sources_file import read_sources
from earshot.integrations.webhooks.endpoints import read_endpoints

FOLDER = Path(__file__).with_name("mistakes")
READERS: dict[str, Callable[[Path], object]] = {
    "sources.yaml": read_sources,
    "people.yaml": read_people,
    "webhooks.yaml": read_endpoints,
    "settings.toml": lambda _: read_settings(),
}


@pytest.mark.parametrize("name", READERS)
def test_all_mistakes_of_a_file_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("EARSHOT_SETTINGS", str(FOLDER / "settings.toml"))
    for variable in ("EARSHOT_HOME", "EARSHOT_DEVICE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(InvalidConfig) as caught:
        READERS[name](FOLDER / name)
    assert str(caught.value).splitlines() == (FOLDER / name).with_suffix(".txt").read_text().splitlines()
    assert "hunter2pass" not in f"{caught.value} {caught.value.mistakes}"


@pytest.mark.parametrize("text", ["", "sources:", "# none yet\n\nsources:  \n  # - folder: talks\n"])
def test_file_without_entries_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "sources.yaml").write_text(text)
    assert is_empty(text, "sources")
    assert read_sources(tmp_path / "sources.yaml") == ()


@pytest.mark.parametrize(
    "text", ["sources:\nsources:\n", "source:\n", "sources: talks\n", "- talks\n", "# a\x07b\n", "  sources:\n people:\n"]
)
def test_mistake_in_a_short_file_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(InvalidConfig):
        read_sources(tmp_path / "sources.yaml")


@pytest.mark.parametrize("name", ["sources", "people"])
def test_deep_nesting_is_reported_with_its_line(tmp_path: Path, name: str) -> None:
    """libyaml calls itself for each level: 100,000 of them ended the process."""
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"{name}:\n  - " + "[" * 100_000)
    with pytest.raises(InvalidConfig, match=r"line 2: not YAML: nested more than 20 levels deep\."):
        READERS[path.name](path)


def test_first_hundred_of_many_mistakes_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("".join(f"key{number}: 1\n" for number in range(250)))
    with pytest.raises(InvalidConfig, match=r"150 more mistakes are not listed\. Correct these first\.") as caught:
        read_sources(path)
    assert len(caught.value.mistakes) == 250
    assert str(caught.value).count("unknown key") == 100


def test_file_of_many_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Misconfigured, match=r"people\.yaml is over 2048 KB\. Shorten it, or correct EARSHOT_PEOPLE\."):
        read_people(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("home = " + "[" * 5000, "line 1: not TOML that Earshot reads: it is nested too deeply. Write"),
        ("workers = " + "9" * 5000, "line 1: there is a number of thousands of digits. Write"),
        ("workers = 0x" + "f" * 5000, "line 1: workers is a number of 20000 bits. Allowed: a smaller one."),
        ('sources = "~nouser/x"', "line 1: sources is '~nouser/x'. Write the path in full: there is no such user."),
        ('home = "a\\u0000b"', "line 1: home has a control character. Remove it."),
        ("a." * 50_000 + "a = 1", "is over 16 KB. Shorten it, or correct EARSHOT_SETTINGS."),
    ],
    ids=["nested", "digits", "bits", "user", "control", "dotted"],
)
def test_settings_that_no_parser_takes_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    path = tmp_path / "earshot.toml"
    path.write_text(text)
    monkeypatch.setenv("EARSHOT_SETTINGS", str(path))
    with pytest.raises(Misconfigured) as caught:
        read_settings()
    assert message in str(caught.value)
