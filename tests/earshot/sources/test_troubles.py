"""What does not work now, and that each change of it is told once."""

from pathlib import Path

import pytest

from earshot.common.errors import InvalidMedia, Retryable
from earshot.sources.troubles import Trouble, describe_changes, read_troubles
from earshot.storage.catalog.source_states import pause, record_listing_failure, record_poll
from earshot.storage.catalog.videos import Video, record_failure, register
from earshot.storage.database import Database

SECRET = "s3cr3t-t0ken-0123456789"
FEED = f"https://x/feed.xml?token={SECRET}"


@pytest.fixture
def sources(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sources.yaml that watches one feed."""
    assert database
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources:\n  - feed: {FEED}\n    name: Harbour Talk\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


def messages(database: Database) -> list[str]:
    return [str(trouble) for trouble in read_troubles(database)]


def fail(database: Database, key: str, error: InvalidMedia | Retryable, source: str = FEED) -> None:
    register(database, [Video(key, f"https://x/{key}", source, key)])
    record_failure(database, key, error)


def test_nothing_is_wrong_with_a_source_that_was_read(sources: Path, database: Database) -> None:
    assert sources
    assert messages(database) == []
    record_listing_failure(database, FEED, "Harbour Talk: the site answers 500.")
    record_poll(database, FEED)
    assert messages(database) == []


def test_invalid_sources_file_trouble_lists_every_mistake(sources: Path, database: Database) -> None:
    sources.write_text("sources:\n  - feed: https://x/feed.xml\n    sinse: 2026-01-01\n    limit: none\n")
    [message] = messages(database)
    assert message.startswith("ERROR: No source is watched until sources.yaml is corrected.")
    assert "line 3" in message
    assert "line 4" in message


def test_unreadable_source_trouble_has_no_secrets(sources: Path, database: Database) -> None:
    assert sources
    record_listing_failure(database, FEED, f"Harbour Talk: the site answers 404 for {FEED}")
    [message] = messages(database)
    assert message.startswith("ERROR: Source Harbour Talk: the site answers 404 for https://x/feed.xml?token=")
    assert SECRET not in message


def test_blocked_source_trouble_has_end_of_pause(sources: Path, database: Database) -> None:
    assert sources
    until = pause(database, FEED, "Harbour Talk: the site answers 429.", 3600.0)
    assert messages(database) == [
        f"WARN: Source Harbour Talk is paused until {until:%Y-%m-%d %H:%M} UTC: the site answers 429."
    ]


def test_failed_videos_trouble_has_an_example(sources: Path, database: Database) -> None:
    assert sources
    fail(database, "a", InvalidMedia("a.mp3 is cut off."))
    heading = "WARN: Source Harbour Talk: {} failed (earshot videos --state failed)"
    assert messages(database) == [f"{heading.format('1 video')}: a.mp3 is cut off."]
    fail(database, "b", InvalidMedia("b.mp3 is cut off."))
    fail(database, "waits", Retryable("The network is down."))
    fail(database, "elsewhere", InvalidMedia("No watched source has this."), "https://y/feed.xml")
    assert messages(database) == [f"{heading.format('2 videos')}, for example: b.mp3 is cut off."]


def test_describe_changes_reports_each_change_once() -> None:
    feed = Trouble("A", "source_unreadable", "error", "A cannot be read.", "A can be read again.")
    worse = Trouble("A", "source_unreadable", "error", "A cannot be read, at all.", "A can be read again.")
    told, lines = describe_changes({}, [feed])
    assert lines == ["ERROR: A cannot be read."]
    told, lines = describe_changes(told, [feed])
    assert lines == []
    told, lines = describe_changes(told, [worse])
    assert lines == ["ERROR: A cannot be read, at all."]
    told, lines = describe_changes(told, [])
    assert (told, lines) == ({}, ["A can be read again."])


def test_refused_file_ends_no_other_trouble() -> None:
    feed = Trouble("A", "source_unreadable", "error", "A cannot be read.", "A can be read again.")
    refused = Trouble("sources.yaml", "sources_refused", "error", "Line 3.", "sources.yaml is valid again.")
    told, lines = describe_changes(describe_changes({}, [feed])[0], [refused])
    assert lines == ["ERROR: Line 3."]
    assert describe_changes(told, [feed]) == ({feed.key: feed}, ["sources.yaml is valid again."])
