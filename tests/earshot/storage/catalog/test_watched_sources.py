"""Sources named on a command line: by name or address, in any capitals."""

from pathlib import Path

import pytest

from earshot.common.errors import SourceUnusable
from earshot.storage.catalog.videos import Video, register
from earshot.storage.catalog.watched_sources import address_of
from earshot.storage.database import Database

SOURCES = """
sources:
  - {feed: https://x.org/feed, name: Harbour Talk}
  - {feed: https://x.org/other, name: Notes}
  - {feed: https://x.org/third, name: NOTES}
  - {feed: https://x.org/new, name: Not yet}
"""


@pytest.fixture
def known(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A library of videos of three watched feeds and of a folder."""
    (tmp_path / "sources.yaml").write_text(SOURCES)
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    addresses = ["https://x.org/feed", "https://x.org/other", "https://x.org/third", "/home/a/Recordings"]
    register(database, [Video(f"v{i}", f"https://x.org/{i}", address, "V") for i, address in enumerate(addresses)])
    return database


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Harbour Talk", "https://x.org/feed"),
        ("harbour talk", "https://x.org/feed"),
        ("https://x.org/feed", "https://x.org/feed"),
        ("HTTPS://X.org/Feed", "https://x.org/feed"),
        ("/home/a/Recordings/", "/home/a/Recordings"),
        ("/HOME/a/recordings", "/home/a/Recordings"),
        ("NOTES", "https://x.org/third"),
    ],
)
def test_source_is_found_by_name_or_address_in_any_capitals(known: Database, text: str, address: str) -> None:
    assert address_of(known, text) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Harbour", "Did you mean 'Harbour Talk'?"),
        ("zzz", "/home/a/Recordings, Harbour Talk (https://x.org/feed), Notes (https://x.org/other)"),
        ("Not yet", "'Not yet'"),
        ("notes", "matches 2 sources"),
    ],
)
def test_unknown_source_is_refused_with_names_and_addresses(known: Database, text: str, message: str) -> None:
    with pytest.raises(SourceUnusable) as refused:
        address_of(known, text)
    assert message in str(refused.value)
