"""Deliveries: in order per video, after growing pauses, and not held up by a dead endpoint."""

import threading
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from bench.harness.server import free_port
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import EVENTS, Endpoint
from earshot.integrations.webhooks.log import (
    GIVEN_UP_AFTER,
    LEASE,
    PAUSES,
    claim,
    replay,
    write_endpoints,
)
from earshot.storage.database import Database
from tests.earshot.integrations.webhooks.happenings import KEY, flag, go_on, make_ready, only
from tests.support.webhook_receiver import Receiver


def test_later_event_of_a_video_waits_for_the_earlier_one(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers.append(503)
    make_ready(database, "v1", "v2")
    flag(database, "v1")
    go_on(database, endpoint)
    told = [(post.event["type"], post.event["data"]["video"]["id"]) for post in receiver.posts]
    assert told == [("video.ready", "v1"), ("video.ready", "v2")]
    go_on(database, endpoint)
    assert [post.event["type"] for post in receiver.posts[2:]] == ["video.ready", "video.flagged"]


def test_pauses_grow_until_the_event_is_given_up(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers.extend([500] * (len(PAUSES) + 2))
    make_ready(database, "v1")
    pauses = []
    for _ in range(len(PAUSES) + 1):
        go_on(database, endpoint)
        [row] = database.query("SELECT next_at - now() AS pause FROM webhook_deliveries")
        pauses.append(round(row["pause"] / timedelta(seconds=60)))
    assert pauses == [0, 0, 1, 5, 30, 120, 360, 360]
    database.query("UPDATE webhook_deliveries SET queued_at = now() - %s", [GIVEN_UP_AFTER])
    go_on(database, endpoint)
    assert (only(database).state, only(database).error) == ("given_up", "it answered 500 Internal Server Error")
    assert go_on(database, endpoint) == []
    assert replay(database, None) == [only(database).number]
    assert [attempt.status for attempt in go_on(database, endpoint)] == [204]
    assert only(database).state == "delivered"


def test_refused_event_is_not_tried_again_in_the_same_pass(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers.extend([500, 500])
    make_ready(database, "v1")
    assert len(deliver(database, Path("/nowhere"), [endpoint])) == 1
    assert len(deliver(database, Path("/nowhere"), [endpoint])) == 1  # the first pause is none


def test_dead_endpoint_does_not_hold_up_the_others(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    write_endpoints(database, {"dead": EVENTS, "notes": EVENTS})
    dead = Endpoint("dead", f"http://127.0.0.1:{free_port()}/", KEY)
    make_ready(database, "v1", "v2", "v3")
    attempts = go_on(database, dead, endpoint)
    assert [attempt.error for attempt in attempts if attempt.endpoint == "dead"] == ["Connection refused"]
    assert len(receiver.posts) == 3


def test_event_of_a_process_that_died_is_due_after_its_lease(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    make_ready(database, "v1")
    [now] = database.query("SELECT now() AS at")
    assert claim(database, ["notes"], now["at"])
    assert deliver(database, Path("/nowhere"), [endpoint]) == []
    database.query("UPDATE webhook_deliveries SET next_at = next_at - %s", [LEASE])
    assert [attempt.error for attempt in deliver(database, Path("/nowhere"), [endpoint])] == [None]
    assert len(receiver.posts) == 1


def test_two_passes_at_once_post_each_event_once_and_in_order(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    keys = [f"v{number}" for number in range(8)]
    make_ready(database, *keys)
    for key in keys:
        flag(database, key)
    passes = [threading.Thread(target=deliver, args=(database, Path("/nowhere"), [endpoint])) for _ in range(2)]
    with ExitStack() as stack:
        for one in passes:
            one.start()
            stack.callback(one.join)
    go_on(database, endpoint)
    told = [(post.event["data"]["video"]["id"], post.event["type"]) for post in receiver.posts]
    assert sorted(told) == sorted((key, event) for key in keys for event in ("video.ready", "video.flagged"))
    assert all(told.index((key, "video.ready")) < told.index((key, "video.flagged")) for key in keys)
