"""Run requests of the sensors: their order, and a cursor that passes only what a tick returned."""

import json
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earshot.storage.catalog.run_requests import MAX_PER_TICK, RunRequested, next_requests, request_runs
from earshot.storage.catalog.source_states import pause
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database

SENSOR = "new_uploads"


def request(database: Database, *video_ids: str, source: str = "a", priority: int = 0, sensor: str = SENSOR) -> None:
    """Queue these videos of this source, in this order."""
    register(database, [Video(video_id, f"https://{source}/{video_id}", source, video_id) for video_id in video_ids])
    with database.connect() as connection:
        request_runs(connection, sensor, [(video_id, source, priority) for video_id in video_ids])


def tick(
    database: Database, cursor: str | None = None, limit: int = MAX_PER_TICK, sources: Sequence[str] | None = None
) -> tuple[list[str], str]:
    """The videos that a tick with this cursor returns, and the cursor that passes them."""
    requests, after = next_requests(database, SENSOR, cursor, sources, limit)
    return [row.video_id for row in requests], after


def waiting(database: Database) -> list[str]:
    return [row["video_id"] for row in database.query("SELECT video_id FROM run_requests ORDER BY request_id")]


# --- order ----------------------------------------------------------------------------------------------------------------


def test_sources_of_one_priority_take_turns(database: Database) -> None:
    request(database, "a1", "a2", "a3", "a4", source="a")
    request(database, "b1", source="b")
    request(database, "c1", "c2", source="c")
    assert tick(database)[0] == ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]


def test_higher_priority_goes_first(database: Database) -> None:
    request(database, "low1", "low2", source="low", priority=-3)
    request(database, "mid1", source="mid")
    request(database, "high1", "high2", source="high", priority=7)
    assert tick(database)[0] == ["high1", "high2", "mid1", "low1", "low2"]
    requests, _ = next_requests(database, SENSOR, None)
    assert [row.priority for row in requests] == [7, 7, 0, -3, -3]


def test_raised_priority_applies_to_waiting_requests(database: Database) -> None:
    request(database, "a1", source="a", priority=1)
    request(database, "b1", source="b")
    request(database, "b2", source="b", priority=5)
    assert tick(database)[0] == ["b1", "b2", "a1"]


def test_limit_of_a_tick_is_shared_by_sources(database: Database) -> None:
    request(database, *(f"a{number}" for number in range(9)), source="a")
    request(database, *(f"b{number}" for number in range(9)), source="b")
    first, cursor = tick(database, limit=5)
    assert first == ["a0", "b0", "a1", "b1", "a2"]
    assert tick(database, cursor, limit=5)[0] == ["a3", "b2", "a4", "b3", "a5"]


def test_tick_returns_at_most_fifty(database: Database) -> None:
    request(database, *(f"a{number:03}" for number in range(70)))
    first, cursor = tick(database)
    assert len(first) == MAX_PER_TICK == 50
    assert tick(database, cursor)[0] == [f"a{number:03}" for number in range(50, 70)]


# --- the cursor -----------------------------------------------------------------------------------------------------------


def test_same_cursor_returns_the_same_requests(database: Database) -> None:
    request(database, "a1", "a2")
    first, _ = next_requests(database, SENSOR, None)
    second, _ = next_requests(database, SENSOR, None)
    assert second == first
    assert len({row.run_key for row in first}) == 2


def test_repeated_request_is_another_run(database: Database) -> None:
    request(database, "a1")
    [first], cursor = next_requests(database, SENSOR, None)
    request(database, "a1")
    [second], _ = next_requests(database, SENSOR, cursor)
    assert (first.video_id, second.video_id) == ("a1", "a1")
    assert first.run_key != second.run_key


def test_rows_are_deleted_once_the_cursor_has_passed(database: Database) -> None:
    request(database, "a1", "a2", "a3")
    _, cursor = tick(database, limit=2)
    assert waiting(database) == ["a1", "a2", "a3"]
    assert tick(database, cursor)[0] == ["a3"]
    assert waiting(database) == ["a3"]


def test_cursor_contains_no_address(database: Database) -> None:
    secret = "https://podcast.example/feed.xml?token=s3cr3t"
    request(database, "a1", source=secret)
    [requested], cursor = next_requests(database, SENSOR, None)
    assert requested.source == secret
    assert json.loads(cursor) == {requested.digest: requested.request_id}
    assert "example" not in cursor
    assert "s3cr3t" not in cursor + requested.run_key


def test_sensors_have_separate_requests(database: Database) -> None:
    request(database, "a1", sensor="retries")
    request(database, "a2")
    first, cursor = tick(database)
    assert first == ["a2"]
    assert tick(database, cursor) == ([], cursor)
    assert waiting(database) == ["a1"]


def test_empty_tick_keeps_the_cursor(database: Database) -> None:
    assert tick(database) == ([], "{}")
    assert tick(database, '{"0123456789ab": 7}') == ([], '{"0123456789ab": 7}')


# --- requests that wait ------------------------------------------------------------------------------------------------------


def test_ready_video_is_not_run(database: Database) -> None:
    request(database, "a1", "a2")
    database.query("UPDATE videos SET state = 'ready' WHERE video_id = 'a1'")
    assert tick(database)[0] == ["a2"]
    assert waiting(database) == ["a2"]


def test_deleted_video_has_no_requests(database: Database) -> None:
    request(database, "a1", "a2")
    database.query("DELETE FROM videos WHERE video_id = 'a1'")
    assert tick(database)[0] == ["a2"]


def test_removed_source_waits_until_it_is_back(database: Database) -> None:
    request(database, "a1", source="a")
    request(database, "b1", source="b")
    first, cursor = tick(database, sources=["b"])
    assert first == ["b1"]
    assert tick(database, cursor, sources=[]) == ([], cursor)
    assert waiting(database) == ["a1"]
    assert tick(database, cursor, sources=["a", "b"])[0] == ["a1"]


def test_paused_source_delays_no_other(database: Database) -> None:
    request(database, "a1", source="a", priority=9)
    request(database, "b1", "b2", source="b")
    pause(database, "a", "429")
    first, cursor = tick(database)
    assert first == ["b1", "b2"]
    assert waiting(database) == ["a1", "b1", "b2"]
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    assert tick(database, cursor)[0] == ["a1"]


def test_blocked_source_runs_one_at_a_time_until_served(database: Database) -> None:
    request(database, "a1", "a2", "a3", "a4", source="a")
    request(database, "b1", "b2", source="b")
    pause(database, "a", "429")
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    first, cursor = tick(database)
    assert first == ["a1", "b1", "b2"]
    second, cursor = tick(database, cursor)
    assert second == ["a2"]
    database.query("UPDATE sources SET blocks = 0")
    assert tick(database, cursor)[0] == ["a3", "a4"]


# --- any sequence -------------------------------------------------------------------------------------------------------------

# A step: a request of so many videos of a source; or a tick with its limit, which may die before its cursor is stored.
REQUEST = st.tuples(st.just("request"), st.sampled_from("abc"), st.integers(1, 4))
TICK = st.tuples(st.just("tick"), st.booleans(), st.integers(1, 5))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(REQUEST, TICK), max_size=12), st.permutations([-1, 0, 4]))
def test_every_request_runs_once_in_order_of_its_source(
    database: Database, steps: list[tuple[str, str | bool, int]], priorities: list[int]
) -> None:
    database.query("TRUNCATE videos, sources CASCADE")
    requested: dict[str, list[str]] = {source: [] for source in "abc"}
    ran: dict[str, RunRequested] = {}
    cursor: str | None = None
    steps = [*steps, *[("tick", False, 50)] * 2]
    for kind, detail, number in steps:
        if kind == "request":
            source = str(detail)
            fresh = [f"{source}{len(requested[source]) + index}" for index in range(number)]
            requested[source] += fresh
            request(database, *fresh, source=source, priority=priorities["abc".index(source)])
            continue
        requests, after = next_requests(database, SENSOR, cursor, limit=number)
        assert len(requests) <= number
        priorities_of_tick = [row.priority for row in requests]
        assert priorities_of_tick == sorted(priorities_of_tick, reverse=True)
        ran |= {row.run_key: row for row in requests}
        cursor = cursor if detail else after
    by_source = {source: [row.video_id for row in ran.values() if row.source == source] for source in "abc"}
    assert by_source == requested
    assert waiting(database) == []
    assert set(Counter(row.video_id for row in ran.values()).values()) <= {1}
