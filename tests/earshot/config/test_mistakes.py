"""The message of every mistake: `mistakes/` has files with everything that can be wrong, and the error about each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earshot.common.errors import InvalidConfig
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
