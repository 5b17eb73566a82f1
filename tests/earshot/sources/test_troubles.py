"""Current troubles of the watched sources, and one line for each change."""

from pathlib import Path

import pytest

from earshot.common.errors import InvalidMedia, Retryable
from earshot.sources.troubles import Trouble, Troubles, describe_changes, read_troubles
from earshot.storage.catalog.source_states import pause, record_listing_failure, record_poll
from earshot.storage.catalog.videos import Video, record_failure, register
from earshot.storage.database import Database

SECRET = "s3cr3t-t0ken-0123456789"
FEED = f"https://x/feed.xml?token={SECRET}"
UNREADABLE = Trouble("A", "source_unreadable", "error", "A cannot be read.", "A can be read again.")
FAILED = Trouble("A", "videos_failed", "warn", "A: 1 video failed.", "A: no failed videos are left.")


@pytest.fixture
def sources(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sources.yaml that watches one feed."""
    assert database
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources:\n  - feed: {FEED}\n    name: Harbour Talk\n")
    monkeypatch.setenv("EARSHOT_SOURCES", str(path))
    return path


def messages(database: Database) -> list[str]:
    return [str(trouble) for trouble in read_troubles(database).current]


def troubles(*current: Trouble, watched: frozenset[str] | None = frozenset("A")) -> Troubles:
    return Troubles(current, watched)


def fail(database: Database, key: str, error: InvalidMedia | Retryable, source: str = FEED) -> None:
    register(database, [Video(key, f"https://x/{key}", source, key)])
    record_failure(database, key, error)


def test_source_read_again_has_no_trouble(sources: Path, database: Database) -> None:
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
    worse = Trouble("A", "source_unreadable", "error", "A cannot be read, at all.", "A can be read again.")
    known, lines = describe_changes({}, troubles(UNREADABLE))
    assert lines == ["ERROR: A cannot be read."]
    known, lines = describe_changes(known, troubles(UNREADABLE))
    assert lines == []
    known, lines = describe_changes(known, troubles(worse))
    assert lines == ["ERROR: A cannot be read, at all."]
    known, lines = describe_changes(known, troubles())
    assert (known, lines) == ({}, ["A can be read again."])


def test_invalid_file_ends_no_other_trouble() -> None:
    refused = Trouble("sources.yaml", "sources_refused", "error", "Line 3.", "sources.yaml is valid again.")
    known, lines = describe_changes({UNREADABLE.key: UNREADABLE}, troubles(refused, watched=None))
    assert lines == ["ERROR: Line 3."]
    assert describe_changes(known, troubles(UNREADABLE)) == ({UNREADABLE.key: UNREADABLE}, ["sources.yaml is valid again."])


def test_end_of_watching_is_reported_instead_of_recovery() -> None:
    known, _ = describe_changes({}, troubles(UNREADABLE, FAILED))
    assert describe_changes(known, troubles(watched=frozenset("B"))) == ({}, ["Source A is no longer watched."])


def test_removed_source_is_no_longer_watched(sources: Path, database: Database) -> None:
    record_listing_failure(database, FEED, "Harbour Talk: the site answers 500.")
    known, _ = describe_changes({}, read_troubles(database))
    sources.write_text("sources: []\n")
    assert describe_changes(known, read_troubles(database)) == ({}, ["Source Harbour Talk is no longer watched."])
