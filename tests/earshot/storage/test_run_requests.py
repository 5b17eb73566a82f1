"""What the sensors have yet to ask for: turns between sources, and a cursor that passes only what was given."""

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


def ask_for(database: Database, *video_ids: str, source: str = "a", priority: int = 0, sensor: str = SENSOR) -> None:
    """Queue these videos of this source, in this order."""
    register(database, [Video(video_id, f"https://{source}/{video_id}", source, video_id) for video_id in video_ids])
    with database.connect() as connection:
        request_runs(connection, sensor, [(video_id, source, priority) for video_id in video_ids])


def tick(
    database: Database, cursor: str | None = None, limit: int = MAX_PER_TICK, sources: Sequence[str] | None = None
) -> tuple[list[str], str]:
    """The videos that a tick with this cursor gives, and the cursor that passes them."""
    found, after = next_requests(database, SENSOR, cursor, sources, limit)
    return [request.video_id for request in found], after


def waiting(database: Database) -> list[str]:
    return [row["video_id"] for row in database.query("SELECT video_id FROM run_requests ORDER BY request_id")]


# --- order ----------------------------------------------------------------------------------------------------------------


def test_sources_of_one_priority_take_turns_in_the_order_of_their_first_request(database: Database) -> None:
    ask_for(database, "a1", "a2", "a3", "a4", source="a")
    ask_for(database, "b1", source="b")
    ask_for(database, "c1", "c2", source="c")
    assert tick(database)[0] == ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]


def test_a_source_of_higher_priority_goes_first_with_all_it_has(database: Database) -> None:
    ask_for(database, "low1", "low2", source="low", priority=-3)
    ask_for(database, "mid1", source="mid")
    ask_for(database, "high1", "high2", source="high", priority=7)
    assert tick(database)[0] == ["high1", "high2", "mid1", "low1", "low2"]
    requests, _ = next_requests(database, SENSOR, None)
    assert [request.priority for request in requests] == [7, 7, 0, -3, -3]


def test_a_priority_that_was_raised_counts_for_what_already_waits(database: Database) -> None:
    ask_for(database, "a1", source="a", priority=1)
    ask_for(database, "b1", source="b")
    ask_for(database, "b2", source="b", priority=5)
    assert tick(database)[0] == ["b1", "b2", "a1"]


def test_a_tick_gives_no_more_than_its_limit_and_shares_it(database: Database) -> None:
    ask_for(database, *(f"a{number}" for number in range(9)), source="a")
    ask_for(database, *(f"b{number}" for number in range(9)), source="b")
    first, cursor = tick(database, limit=5)
    assert first == ["a0", "b0", "a1", "b1", "a2"]
    assert tick(database, cursor, limit=5)[0] == ["a3", "b2", "a4", "b3", "a5"]


def test_a_tick_of_a_sensor_gives_at_most_fifty(database: Database) -> None:
    ask_for(database, *(f"a{number:03}" for number in range(70)))
    first, cursor = tick(database)
    assert len(first) == MAX_PER_TICK == 50
    assert tick(database, cursor)[0] == [f"a{number:03}" for number in range(50, 70)]


# --- the cursor -----------------------------------------------------------------------------------------------------------


def test_the_same_cursor_gives_the_same_requests_under_the_same_keys(database: Database) -> None:
    ask_for(database, "a1", "a2")
    first, _ = next_requests(database, SENSOR, None)
    again, _ = next_requests(database, SENSOR, None)
    assert again == first
    assert len({request.run_key for request in first}) == 2


def test_asking_for_a_video_again_is_another_run(database: Database) -> None:
    ask_for(database, "a1")
    [first], cursor = next_requests(database, SENSOR, None)
    ask_for(database, "a1")
    [second], _ = next_requests(database, SENSOR, cursor)
    assert (first.video_id, second.video_id) == ("a1", "a1")
    assert first.run_key != second.run_key


def test_rows_go_once_the_cursor_has_passed_them_and_not_before(database: Database) -> None:
    ask_for(database, "a1", "a2", "a3")
    _, cursor = tick(database, limit=2)
    assert waiting(database) == ["a1", "a2", "a3"]
    assert tick(database, cursor)[0] == ["a3"]
    assert waiting(database) == ["a3"]


def test_a_cursor_passes_nothing_of_a_source_that_was_not_given(database: Database) -> None:
    ask_for(database, "b1", source="b")
    ask_for(database, "a1", source="a")
    first, cursor = tick(database, sources=["a"])
    assert first == ["a1"]
    assert tick(database, cursor)[0] == ["b1"]


def test_a_cursor_names_no_address(database: Database) -> None:
    secret = "https://podcast.example/feed.xml?token=s3cr3t"
    ask_for(database, "a1", source=secret)
    [request], cursor = next_requests(database, SENSOR, None)
    assert request.source == secret
    assert json.loads(cursor) == {request.digest: request.request_id}
    assert "example" not in cursor
    assert "s3cr3t" not in cursor + request.run_key


def test_many_sources_have_each_their_own_place_in_the_cursor(database: Database) -> None:
    for number in range(300):
        ask_for(database, f"v{number}", source=f"https://podcast.example/{number}")
    requests, cursor = next_requests(database, SENSOR, None, limit=300)
    assert len({request.digest for request in requests}) == len(json.loads(cursor)) == 300


def test_each_sensor_has_its_own_requests_and_deletes_no_others(database: Database) -> None:
    ask_for(database, "a1", sensor="retries")
    ask_for(database, "a2")
    found, cursor = tick(database)
    assert found == ["a2"]
    assert tick(database, cursor) == ([], cursor)
    assert waiting(database) == ["a1"]


def test_nothing_to_give_leaves_the_cursor_as_it_is(database: Database) -> None:
    assert tick(database) == ([], "{}")
    assert tick(database, '{"0123456789ab": 7}') == ([], '{"0123456789ab": 7}')


# --- what is not given ------------------------------------------------------------------------------------------------------


def test_a_video_that_is_ready_meanwhile_is_not_run_again(database: Database) -> None:
    ask_for(database, "a1", "a2")
    database.query("UPDATE videos SET state = 'ready' WHERE video_id = 'a1'")
    assert tick(database)[0] == ["a2"]
    assert waiting(database) == ["a2"]


def test_a_video_that_was_deleted_takes_its_requests_with_it(database: Database) -> None:
    ask_for(database, "a1", "a2")
    database.query("DELETE FROM videos WHERE video_id = 'a1'")
    assert tick(database)[0] == ["a2"]


def test_what_was_taken_out_of_sources_yaml_waits_until_it_is_back(database: Database) -> None:
    ask_for(database, "a1", source="a")
    ask_for(database, "b1", source="b")
    found, cursor = tick(database, sources=["b"])
    assert found == ["b1"]
    assert tick(database, cursor, sources=[]) == ([], cursor)
    assert waiting(database) == ["a1"]
    assert tick(database, cursor, sources=["a", "b"])[0] == ["a1"]


def test_a_source_that_is_paused_waits_and_holds_up_no_other(database: Database) -> None:
    ask_for(database, "a1", source="a", priority=9)
    ask_for(database, "b1", "b2", source="b")
    pause(database, "a", "429")
    found, cursor = tick(database)
    assert found == ["b1", "b2"]
    assert waiting(database) == ["a1", "b1", "b2"]
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    assert tick(database, cursor)[0] == ["a1"]


def test_a_source_that_was_blocked_gives_one_at_a_time_until_it_has_served_us(database: Database) -> None:
    ask_for(database, "a1", "a2", "a3", "a4", source="a")
    ask_for(database, "b1", "b2", source="b")
    pause(database, "a", "429")
    database.query("UPDATE sources SET paused_until = now() - interval '1 second'")
    first, cursor = tick(database)
    assert first == ["a1", "b1", "b2"]
    second, cursor = tick(database, cursor)
    assert second == ["a2"]
    database.query("UPDATE sources SET blocks = 0")
    assert tick(database, cursor)[0] == ["a3", "a4"]


# --- whatever happens --------------------------------------------------------------------------------------------------------

# A step: videos that are asked for, of which source; or a tick, with its limit, that may die before its cursor is kept.
ASKED = st.tuples(st.just("ask"), st.sampled_from("abc"), st.integers(1, 4))
TICKED = st.tuples(st.just("tick"), st.booleans(), st.integers(1, 5))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(ASKED, TICKED), max_size=12), st.permutations([-1, 0, 4]))
def test_whatever_is_asked_for_is_run_once_and_in_the_order_of_its_source(
    database: Database, steps: list[tuple[str, str | bool, int]], priorities: list[int]
) -> None:
    database.query("TRUNCATE videos, sources CASCADE")
    asked: dict[str, list[str]] = {source: [] for source in "abc"}
    ran: dict[str, RunRequested] = {}
    cursor: str | None = None
    steps = [*steps, *[("tick", False, 50)] * 2]
    for kind, detail, number in steps:
        if kind == "ask":
            source = str(detail)
            fresh = [f"{source}{len(asked[source]) + index}" for index in range(number)]
            asked[source] += fresh
            ask_for(database, *fresh, source=source, priority=priorities["abc".index(source)])
            continue
        found, after = next_requests(database, SENSOR, cursor, limit=number)
        assert len(found) <= number
        assert [one.priority for one in found] == sorted((one.priority for one in found), reverse=True)
        ran |= {one.run_key: one for one in found}
        cursor = cursor if detail else after
    by_source = {source: [one.video_id for one in ran.values() if one.source == source] for source in "abc"}
    assert by_source == asked
    assert waiting(database) == []
    assert set(Counter(one.video_id for one in ran.values()).values()) <= {1}
