"""The campaign of faults without a running `earshot up`: its feed, its order, and that invariants notice violations."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.chaos import invariants
from bench.chaos.campaign import MOST_AT_ONCE, _rounds
from bench.chaos.faults import faults_of
from bench.chaos.feed import Feed, Mood, serving_feed
from bench.chaos.world import World
from earshot.storage.database import Database
from tests.support.library import fill


@pytest.fixture
def feed() -> Iterator[Feed]:
    with serving_feed() as served:
        served.episodes["one"] = bytes(10_000)
        yield served


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_feed_answers_in_each_mood(feed: Feed) -> None:
    media = f"{feed.url}/one.mp3"
    assert b"<guid" in read(feed.address)
    assert read(media) == bytes(10_000)
    feed.mood = Mood.GONE
    with pytest.raises(urllib.error.HTTPError, match="503"):
        read(media)
    feed.mood = Mood.LYING
    assert b"<html>" in read(feed.address)
    for mood in (Mood.LYING, Mood.CUT):
        feed.mood = mood
        with pytest.raises(Exception, match="IncompleteRead"):
            read(media)


def test_each_fault_comes_once_before_any_comes_again(tmp_path: Path) -> None:
    kinds = faults_of(World(tmp_path, Feed()))
    rounds = list(_rounds(kinds, 2 * len(kinds), Random(1)))
    chosen = [fault.name for together in rounds for fault in together]
    assert sorted(chosen[: len(kinds)]) == sorted(fault.name for fault in kinds)
    assert len(chosen) == 2 * len(kinds)
    assert {len(together) for together in rounds} == set(range(1, MOST_AT_ONCE + 1))
    assert rounds == list(_rounds(kinds, 2 * len(kinds), Random(1)))
    assert rounds != list(_rounds(kinds, 2 * len(kinds), Random(2)))


def test_fault_without_its_process_is_left_out(tmp_path: Path) -> None:
    world = World(tmp_path, Feed())
    signalling = [fault for fault in faults_of(world) if fault.name.startswith(("kill p", "kill w", "stop"))]
    assert [fault.name for fault in signalling if fault.begin(world, Random(1)) is not None] == []


def test_invariants_notice_what_is_wrong(database: Database, tmp_path: Path) -> None:
    def query(statement: str, parameters: Any = ()) -> list[dict[str, Any]]:
        return database.query(statement, list(parameters))

    fill(database, ["one", "two"], ["hello", "there"])
    clean = invariants.digests(query)
    assert clean["one"] == clean["two"]
    assert invariants.unfinished(query, ["one", "three"]) == ["one is new, not retried: None", "three is not known"]
    recordings, rows = {"one": 0, "two": 0}, {0: clean["one"]}
    assert invariants.wrong_rows(query, recordings, rows) == []
    database.query("UPDATE words SET text = 'other' WHERE video_id = 'two' AND word_index = 0")
    assert invariants.wrong_rows(query, recordings, rows) == ["two has other rows than a clean run"]
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "three.flac").write_bytes(b"")
    assert invariants.stray_files(query, tmp_path) == ["three.flac is stored without a row"]
    assert invariants.lost_corrections(query, [7], []) == ["correction 7 is lost"]
