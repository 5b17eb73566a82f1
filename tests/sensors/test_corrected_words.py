"""The sensor `corrected_words`: it requests one run of a video for each state of its corrections."""

import pytest
from dagster import DagsterInstance

from earshot import Library
from earshot.storage.catalog.videos import record_crash
from earshot.storage.database import Database
from ingest_assets.stages.freshness import Version
from sensors.corrected_words import corrected_words
from tests.support.library import fill, run_stage
from tests.support.sensor_daemon import Daemon


@pytest.fixture
def corrections(database: Database) -> Library:
    """A library of videos `a` and `b`, both current."""
    fill(database, ["a", "b"], [" Port", " Author", " ity"])
    database.query("UPDATE videos SET state = 'ready'")
    return Library()


@pytest.fixture
def daemon(instance: DagsterInstance, corrections: Library) -> Daemon:
    return Daemon(corrected_words, instance, corrections.database)


def embed(library: Library, *corrections: int) -> None:
    """As if `text_embeddings` of `a` had run with these corrections."""
    run_stage(library.database, "a", "text_embeddings", Version("1", "t", "1"), "new", corrections)


def test_correction_and_undo_request_a_run_each(daemon: Daemon, corrections: Library) -> None:
    assert daemon.tick() == []
    number = corrections.word_corrections.correct("a", 1.0, 3.0, "Authority").number
    assert [daemon.tick(), daemon.tick()] == [["a"], []]
    embed(corrections, number)
    assert daemon.tick() == []
    corrections.word_corrections.undo(number)
    assert [daemon.tick(), daemon.tick()] == [["a"], []]
    embed(corrections)
    assert daemon.tick() == []


def test_correction_during_a_run_requests_another(daemon: Daemon, corrections: Library) -> None:
    first = corrections.word_corrections.correct("a", 1.0, 3.0, "Authority").number
    assert daemon.tick() == ["a"]
    corrections.word_corrections.correct("a", 0.0, 1.0, "Harbour")
    assert daemon.tick() == ["a"]
    embed(corrections, first)
    assert daemon.tick() == ["a"]


def test_same_words_corrected_again_request_a_run(daemon: Daemon, corrections: Library) -> None:
    for _ in range(2):
        number = corrections.word_corrections.correct("b", 1.0, 3.0, "Authority").number
        assert daemon.tick() == ["b"]
        corrections.word_corrections.undo(number)
        assert daemon.tick() == []


def test_failed_run_is_repeated_after_a_pause_but_not_for_ever(daemon: Daemon, corrections: Library) -> None:
    corrections.word_corrections.correct("a", 1.0, 3.0, "Authority")
    assert daemon.tick() == ["a"]
    started = []
    for _ in range(6):
        record_crash(corrections.database, "a", "killed")
        assert daemon.tick() == []
        corrections.database.query("UPDATE videos SET updated_at = now() - interval '91 minutes'")
        started.append(daemon.tick())
    assert started == [["a"]] * 3 + [[]] * 3
    corrections.word_corrections.correct("a", 0.0, 1.0, "Harbour")
    assert daemon.tick() == ["a"]


def test_video_that_is_not_ready_waits(daemon: Daemon, corrections: Library) -> None:
    corrections.word_corrections.correct("a", 1.0, 3.0, "Authority")
    corrections.database.query("UPDATE videos SET state = 'failed'")
    assert daemon.tick() == []
