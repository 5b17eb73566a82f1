"""The state of each source: when it is polled, and how long it is paused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.storage.catalog.entries import Validators
from earshot.storage.catalog.source_states import (
    MAX_RETRY_S,
    SourceState,
    lift_pause,
    needs_listing,
    pause,
    record_listing_failure,
    record_poll,
    record_served,
    states_of,
)
from earshot.storage.database import Database

FEED = "https://podcast.example/feed.xml"
OTHER = "https://other.example/feed.xml"
HOUR_S = 3600.0
FRESH = SourceState(FEED, "", Validators(), None, False, None, 0, 0, None, 0, None, undecided=False)


def state(database: Database, source: str = FEED) -> SourceState:
    [current] = states_of(database, [source])
    return current


def insert_source(database: Database) -> None:
    database.query("INSERT INTO sources (source) VALUES (%s) ON CONFLICT DO NOTHING", [FEED])


def seconds_left(until: datetime | None) -> float:
    assert until is not None
    return (until - datetime.now(UTC)).total_seconds()


def end_pause(database: Database) -> None:
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")


def is_near(seconds: float, expected: float) -> bool:
    return expected - 60.0 < seconds <= expected + 1.0


# --- stored states -------------------------------------------------------------------------------------------------------


def test_unpolled_source_is_due(database: Database) -> None:
    assert state(database) == FRESH
    assert FRESH.due(900.0)
    assert not FRESH.paused


def test_states_are_in_order_of_arguments(database: Database) -> None:
    pause(database, OTHER, "enough")
    states = states_of(database, [OTHER, FEED, "/a/folder"])
    assert [(each.source, each.blocks) for each in states] == [(OTHER, 1), (FEED, 0), ("/a/folder", 0)]
    assert states_of(database, []) == []


def test_successful_poll_clears_failures(database: Database) -> None:
    for end in (record_poll, needs_listing):
        insert_source(database)
        record_listing_failure(database, FEED, "500")
        assert (state(database).failures, state(database).last_error) == (1, "500")
        end(database, FEED)
        assert (state(database).failures, state(database).last_error) == (0, None)
        assert seconds_left(state(database).looked_at) == pytest.approx(0.0, abs=60.0)


def test_gap_requires_full_listing(database: Database) -> None:
    insert_source(database)
    database.query("UPDATE sources SET fully_listed = true")
    assert state(database).fully_listed
    needs_listing(database, FEED)
    assert not state(database).fully_listed


def test_open_listed_entry_is_undecided(database: Database) -> None:
    insert_source(database)
    for decision, present in (("wanted", True), ("left_out", True), ("open", False)):
        database.query(
            "INSERT INTO source_videos (source, video_id, url, title, backlog, present, decision) "
            "VALUES (%(source)s, %(decision)s, '', '', true, %(present)s, %(decision)s)",
            {"source": FEED, "decision": decision, "present": present},
        )
    assert not state(database).undecided
    database.query("UPDATE source_videos SET present = true")
    assert [each.undecided for each in states_of(database, [FEED, OTHER])] == [True, False]


# --- polling -------------------------------------------------------------------------------------------------------------


def polled(seconds_ago: float, failures: int = 0) -> SourceState:
    return replace(FRESH, looked_at=datetime.now(UTC) - timedelta(seconds=seconds_ago), failures=failures)


def test_each_failure_doubles_the_wait_up_to_six_hours() -> None:
    for failures, wait_s in ((0, 900.0), (1, 1800.0), (2, 3600.0), (4, 14_400.0), (5, MAX_RETRY_S), (9, MAX_RETRY_S)):
        assert not polled(wait_s - 5.0, failures).due(900.0)
        assert polled(wait_s + 5.0, failures).due(900.0)


def test_failing_daily_source_is_polled_no_more_often() -> None:
    assert not polled(MAX_RETRY_S + 5.0, failures=3).due(86_400.0)
    assert polled(86_405.0, failures=3).due(86_400.0)


@given(st.integers(0, 1_000_000), st.floats(10.0, 365 * 86_400.0))
def test_failing_source_becomes_due_again(failures: int, every_s: float) -> None:
    longest_s = max(every_s, MAX_RETRY_S)
    assert polled(longest_s + 5.0, failures).due(every_s)
    assert not polled(every_s - 5.0, failures).due(every_s)


def test_source_polled_by_a_clock_that_was_ahead_is_due() -> None:
    assert not polled(-30.0).due(900.0)
    assert polled(-3600.0).due(900.0)


def test_paused_source_is_not_due() -> None:
    paused = replace(FRESH, paused_until=datetime.now(UTC) + timedelta(seconds=60))
    assert paused.paused
    assert not paused.due(900.0)
    expired = replace(FRESH, paused_until=datetime.now(UTC) - timedelta(seconds=1))
    assert not expired.paused
    assert expired.due(900.0)


# --- pauses ---------------------------------------------------------------------------------------------------------------


def test_pause_is_as_requested_or_an_hour(database: Database) -> None:
    assert is_near(seconds_left(pause(database, FEED, "429", 7200.0)), 7200.0)
    assert is_near(seconds_left(pause(database, OTHER, "Sign in to confirm")), HOUR_S)
    assert state(database, OTHER).last_error == "Sign in to confirm"
    assert state(database, OTHER).paused


def test_repeated_blocks_double_the_pause_up_to_a_day(database: Database) -> None:
    pauses = []
    for _ in range(7):
        pauses.append(seconds_left(pause(database, FEED, "blocked")))
        end_pause(database)
    expected = [HOUR_S * hours for hours in (1, 2, 4, 8, 16, 24, 24)]
    assert all(is_near(paused_s, expected_s) for paused_s, expected_s in zip(pauses, expected, strict=True))
    assert state(database).blocks == 7


def test_very_many_blocks_pause_a_day(database: Database) -> None:
    pause(database, FEED, "blocked")
    database.query("UPDATE sources SET blocks = 1000000, paused_until = NULL")
    assert is_near(seconds_left(pause(database, FEED, "blocked")), 24 * HOUR_S)


def test_block_during_pause_does_not_prolong_it(database: Database) -> None:
    first = pause(database, FEED, "the first")
    assert pause(database, FEED, "a second one at once", 86_400.0) == first
    assert (state(database).blocks, state(database).paused_until) == (1, first)


def test_pause_affects_one_source_alone(database: Database) -> None:
    pause(database, FEED, "blocked")
    assert not state(database, OTHER).paused


def test_lifted_pause_resets_blocks(database: Database) -> None:
    pause(database, FEED, "blocked")
    lift_pause(database, FEED)
    assert (state(database).paused, state(database).blocks) == (False, 0)
    assert is_near(seconds_left(pause(database, FEED, "again")), HOUR_S)


def test_served_source_resets_blocks_but_keeps_its_pause(database: Database) -> None:
    until = pause(database, FEED, "blocked")
    record_served(database, FEED)
    assert (state(database).blocks, state(database).paused_until) == (1, until)
    end_pause(database)
    record_served(database, FEED)
    assert state(database).blocks == 0
    assert is_near(seconds_left(pause(database, FEED, "again")), HOUR_S)
