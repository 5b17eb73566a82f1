"""What is an event, what is posted about it, and the sensor that posts it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from dagster import build_sensor_context

from earshot.common.errors import InvalidMedia, Retryable
from earshot.config.settings import PROJECT_ROOT
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import EVENTS, Endpoint
from earshot.integrations.webhooks.log import (
    TEST,
    prune,
    queue_test,
    replay,
    write_endpoints,
)
from earshot.integrations.webhooks.payloads import test_body as body_of_test
from earshot.speakers.people.identify import identify
from earshot.storage.catalog.removals import remove_rows
from earshot.storage.catalog.videos import (
    mark_ready_if_complete,
    record_crash,
    record_failure,
    reset_attempts,
)
from earshot.storage.database import Database
from sensors.webhooks import webhooks
from tests.earshot.integrations.webhooks.happenings import SECRET, add, events, flag, go_on, make_ready, only
from tests.support.videos.voice_videos import enrol, speak, voice
from tests.support.webhook_receiver import Receiver


def test_endpoints_get_what_they_asked_for(database: Database) -> None:
    make_ready(database, "v0")
    flag(database, "v0")
    assert events(database) == []  # of before there were endpoints
    write_endpoints(database, {"all": EVENTS, "broken": ("video.failed", "video.flagged")})
    make_ready(database, "v1")
    flag(database, "v1")
    assert events(database) == ["video.ready v1 all", "video.flagged v1 all", "video.flagged v1 broken"]
    write_endpoints(database, {"broken": ("video.failed",)})
    assert events(database) == ["video.flagged v1 broken"]


def test_video_is_ready_once_and_failed_when_no_retry_follows(database: Database) -> None:
    write_endpoints(database, {"notes": EVENTS})
    make_ready(database, "v1")
    mark_ready_if_complete(database, "v1")
    record_crash(database, "v1", "a later run failed")  # it stays ready
    add(database, "v2", "v3")
    record_failure(database, "v2", Retryable("The network is down."))  # and is tried again
    record_failure(database, "v3", InvalidMedia("It is empty."))
    reset_attempts(database, ["v3"])
    record_failure(database, "v3", InvalidMedia("It is empty."))
    assert events(database) == ["video.ready v1 notes", "video.failed v3 notes", "video.failed v3 notes"]


def test_event_is_undone_with_what_it_is_about(database: Database) -> None:
    write_endpoints(database, {"notes": EVENTS})
    add(database, "v1")
    with pytest.raises(ZeroDivisionError):
        end_badly(database)
    assert events(database) == []


def end_badly(database: Database) -> None:
    with database.transaction() as within:
        within.query("UPDATE videos SET state = 'ready'")
        assert events(within) == ["video.ready v1 notes"]
        raise ZeroDivisionError


def test_person_is_named_once_for_all_videos(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    for number in range(25):
        speak(database, f"v{number:02}", ["host"])
    identify(database)
    enrol(database, "Ana", voice("host"))
    identify(database)
    speak(database, "w", ["host"])
    identify(database)
    identify(database, full=True)
    go_on(database, endpoint)
    first, second = (post.event["data"] for post in receiver.posts)
    assert (first["person"], first["decided_by"], first["count"]) == ("Ana", "profile", 25)
    assert [video["id"] for video in first["videos"]] == [f"v{number:02}" for number in range(20)]
    assert (second["count"], [video["id"] for video in second["videos"]]) == (1, ["w"])


def test_removed_video_leaves_the_event_of_its_person(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    speak(database, "v1", ["host"])
    speak(database, "v2", ["host"])
    enrol(database, "Ana", voice("host"))
    identify(database)
    go_on(database, endpoint)
    remove_rows(database, ["v1"], exclude=False)
    [kept] = database.query("SELECT body, facts ->> 'newest' AS newest FROM webhook_events")
    assert kept == {"body": None, "newest": '["v2"]'}
    replay(database, [only(database).webhook_id])
    go_on(database, endpoint)
    assert [[video["id"] for video in post.event["data"]["videos"]] for post in receiver.posts] == [["v1", "v2"], ["v2"]]


def test_old_events_leave_the_log(database: Database, endpoint: Endpoint) -> None:
    make_ready(database, "v1", "v2")
    go_on(database, endpoint)
    database.query("UPDATE webhook_events SET occurred_at = now() - interval '31 days' WHERE video_id = 'v1'")
    prune(database)
    assert events(database) == ["video.ready v2 notes"]


# --- the documentation -----------------------------------------------------------------------------------------------------


def test_documented_payloads_are_those_that_are_posted(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    speak(database, "v1", ["host"])
    enrol(database, "Ana", voice("host"))
    identify(database)
    make_ready(database, "v2")
    flag(database, "v2")
    add(database, "v3")
    record_failure(database, "v3", InvalidMedia("It is empty."))
    queue_test(database, "notes", body_of_test())
    go_on(database, endpoint)
    deliver(database, Path("/nowhere"), [endpoint], TEST)
    page = (PROJECT_ROOT / "docs/reference/webhooks.md").read_text()
    documented = {one["type"]: one for one in map(json.loads, re.findall(r"^```json\n(.*?)^```", page, re.M | re.S))}
    assert {post.event["type"] for post in receiver.posts} == {*EVENTS, "webhook.test"} == set(documented)
    for post in receiver.posts:
        shown = documented[post.event["type"]]
        assert list(post.event) == list(shown)
        assert set(post.event["data"]) == set(shown["data"])
        for video, documented_video in zip(videos_of(post.event), videos_of(shown), strict=True):
            assert video.keys() == documented_video.keys()


def videos_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    data = event["data"]
    return [data["video"]] if "video" in data else data.get("videos", [])


def test_documented_receiver_verifies_a_post(database: Database, receiver: Receiver, endpoint: Endpoint) -> None:
    make_ready(database, "v1")
    go_on(database, endpoint)
    page = (PROJECT_ROOT / "docs/guides/operation/webhooks.md").read_text()
    [program] = re.findall(r"^```python\n(import base64.*?)^```", page, re.M | re.S)
    names: dict[str, object] = {}
    exec(program, names)
    [post] = receiver.posts
    verify = names["is_genuine"]
    assert callable(verify)
    assert verify(SECRET, post.headers, post.body.encode())
    assert not verify(SECRET, post.headers, post.body.replace("v1", "v2").encode())
    assert not verify(SECRET, {**post.headers, "webhook-timestamp": "1614265330"}, post.body.encode())


# --- the sensor ------------------------------------------------------------------------------------------------------------


def test_sensor_posts_to_the_endpoints_of_the_file(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "webhooks.yaml"
    monkeypatch.setenv("EARSHOT_WEBHOOKS", str(file))
    file.write_text("webhooks:\n")
    assert tick() == "There are no endpoints."
    file.write_text(f"webhooks:\n  - url: {receiver.url}\n    secret: {SECRET}\n    events: [video.ready]\n")
    assert tick() == "Nothing to post."
    make_ready(database, "v1", "v2")
    receiver.answers.append(503)
    assert tick() == "Delivered 1 of 2; 127.0.0.1: it answered 503 Service Unavailable"
    file.write_text(f"webhooks:\n  - url: {receiver.url}\n    secret: {SECRET}x\n")
    assert "webhooks.yaml, line 3: secret is hidden here" in tick()
    assert len(receiver.posts) == 2


def tick() -> str:
    answer = webhooks(build_sensor_context())
    return str(getattr(answer, "skip_message", ""))
