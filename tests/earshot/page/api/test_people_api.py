"""People as JSON, and their pages without a browser."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from earshot.storage.database import Database
from tests.earshot.page.people_library import hear
from tests.support.videos.voice_videos import enrol, speak, voice

HOSTILE = '<script>alert(1)</script> & "Bo" \u200f' + "x" * 50
CORRECTIONS = "/api/v1/corrections"


@pytest.fixture
def heard(database: Database) -> Database:
    """Ana in three videos, Bo in two, Cy in one, none of them named."""
    hear(database, {"one": ["Ana", "Bo"], "two": ["Ana", "Bo"], "three": ["Ana", "Cy"]})
    return database


def people(client: TestClient, **query: str) -> list[tuple[str, int, float]]:
    listed = client.get("/api/v1/people", params=query).json()["people"]
    return [(person["name"], person["videos"], person["seconds"]) for person in listed]


def assign(client: TestClient, what: str, person: str, reader: str = "") -> int:
    answer = client.post(
        CORRECTIONS, json={"action": "assign", "what": what, "person": person}, headers={"Earshot-Reader": quote(reader)}
    )
    assert answer.status_code == 200, answer.json()
    return answer.json()["number"]


def recordings(shown: dict[str, Any]) -> list[str]:
    return sorted(one["recording"] for one in shown["recordings"])


def named(client: TestClient, who: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/people/{quote(who, safe='')}")
    assert answer.status_code == 200, answer.json()
    return answer.json()


@pytest.mark.usefixtures("heard")
def test_who_speaks_most_is_first(client: TestClient) -> None:
    assert people(client) == [("voice 1", 3, 60.0), ("voice 2", 2, 40.0), ("voice 3", 1, 20.0)]


@pytest.mark.usefixtures("heard")
def test_cursor_continues_the_list(client: TestClient) -> None:
    first = client.get("/api/v1/people", params={"limit": 2}).json()
    rest = client.get("/api/v1/people", params={"limit": 2, "after": first["next"]}).json()
    assert [person["name"] for person in (*first["people"], *rest["people"])] == ["voice 1", "voice 2", "voice 3"]
    assert rest["next"] is None


@pytest.mark.usefixtures("heard")
def test_list_is_filtered_by_kind_and_text(client: TestClient) -> None:
    assign(client, "voice 1", "Ana Sauer")
    assert people(client, kind="person") == [("Ana Sauer", 3, 60.0)]
    assert people(client, q="sau") == [("Ana Sauer", 3, 60.0)]
    assert people(client, q="2") == people(client, q="voice 2") == [("voice 2", 2, 40.0)]
    assert people(client, kind="voice", q="Ana") == []


def test_totals_follow_every_change(client: TestClient, heard: Database) -> None:
    number = assign(client, "voice 1", "Ana")
    heard.query("DELETE FROM videos WHERE video_id = 'one'")
    assert people(client) == [("Ana", 2, 40.0), ("voice 2", 1, 20.0), ("voice 3", 1, 20.0)]
    client.delete(f"{CORRECTIONS}/{number}")
    assert people(client) == [("voice 1", 2, 40.0), ("voice 2", 1, 20.0), ("voice 3", 1, 20.0)]
    enrol(heard, "Di")
    assert people(client, kind="person") == [("Di", 0, 0.0)]


@pytest.mark.usefixtures("heard")
def test_clips_are_alone_and_from_different_videos(client: TestClient) -> None:
    clips = client.get("/api/v1/people/voice 1").json()["clips"]
    assert {clip["video_id"] for clip in clips} == {"one", "two", "three"}
    for clip in clips:
        assert clip["end_s"] - clip["start_s"] == 8.0
        assert clip["text"] == f"This is Ana in {clip['video_id']}."


def test_overlap_and_lost_sound_are_no_clip(client: TestClient, heard: Database) -> None:
    heard.query("UPDATE turns SET end_s = end_s + 7.5 WHERE video_id = 'one' AND local_speaker = 'SPEAKER_01'")
    heard.query("DELETE FROM audio WHERE video_id = 'two'")
    clips = client.get("/api/v1/people/voice 1").json()["clips"]
    assert [(clip["video_id"], clip["start_s"]) for clip in clips] == [("one", 0.0), ("three", 0.0), ("three", 20.0)]


def test_voice_is_offered_the_people_it_is_like(client: TestClient, heard: Database) -> None:
    enrol(heard, "Ana", 0.6 * voice("Ana") + 0.8 * voice("else"))
    enrol(heard, "Zoe", voice("Zoe"))
    assign(client, "voice 3", "Cy")
    shown = client.get("/api/v1/people/voice 1").json()
    assert [(person["name"], round(person["score"], 1)) for person in shown["like_people"]] == [("Ana", 0.6)]


def test_voice_is_shown_with_similar_voices(client: TestClient, database: Database) -> None:
    hear(database, {"one": ["Ana"], "two": ["Bo"]})
    database.query(
        "UPDATE speaker_totals SET centroid = (SELECT centroid FROM speaker_totals WHERE (kind, id) = ('voice', 1)) "
        "WHERE id = 2"
    )
    [other] = client.get("/api/v1/people/voice 1").json()["like_voices"]
    assert (other["name"], round(other["score"], 3)) == ("voice 2", 1.0)


@pytest.mark.usefixtures("heard")
def test_every_kind_of_correction_is_entered_and_undone(client: TestClient) -> None:
    before = people(client)
    assign(client, "voice 3", "Cy")
    for body in (
        {"action": "assign", "what": "voice 1", "person": "Ana"},
        {"action": "exclude", "what": "voice 1", "person": "Cy"},
        {"action": "merge", "what": "voice 1", "other": "voice 2"},
        {"action": "separate", "what": "one@SPEAKER_00", "other": "two@SPEAKER_00"},
        {"action": "split", "what": "voice 1"},
    ):
        change = client.post(CORRECTIONS, json=body).json()
        assert client.delete(f"{CORRECTIONS}/{change['number']}").status_code == 200, body
    [cy] = client.get(CORRECTIONS).json()["changes"]
    client.delete(f"{CORRECTIONS}/{cy['number']}")
    assert people(client) == before


@pytest.mark.parametrize(
    "body",
    [
        {"action": "assign", "what": "voice 1"},
        {"action": "split", "what": "voice 1", "other": "voice 2"},
        {"action": "split", "what": "nothing"},
        {"action": "exclude", "what": "voice 1", "person": "Unheard"},
        {"action": "assign", "what": "voice 1", "person": "a\u0000b"},
        {"action": "assign", "what": "voice 1", "person": "\ud800"},
        {"action": "assign", "what": "voice 1", "person": "voice 9"},
        {"action": "odd", "what": "voice 1"},
    ],
)
@pytest.mark.usefixtures("heard")
def test_wrong_correction_is_a_problem_and_changes_nothing(client: TestClient, body: dict[str, str]) -> None:
    answer = client.post(CORRECTIONS, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert client.get(CORRECTIONS).json()["changes"] == []


@pytest.mark.usefixtures("heard")
def test_history_says_who_did_what_newest_first(client: TestClient) -> None:
    assign(client, "voice 1", "Ana", reader="Ève\r\n\u202e")
    assign(client, "voice 2", "Bo")
    client.post("/api/v1/people/Bo/rename", json={"name": "Bob"}, headers={"Earshot-Reader": "Ole"})
    changes = client.get(CORRECTIONS).json()["changes"]
    assert [(change["kind"], change["person"], change["made_by"]) for change in changes] == [
        ("rename", "Bob", "Ole"),
        ("is", "Bob", "page"),
        ("is", "Ana", "Ève"),
    ]
    page = client.get(CORRECTIONS, params={"limit": 1}).json()
    assert [change["kind"] for change in page["changes"]] == ["rename"]
    older = client.get(CORRECTIONS, params={"before": page["next"]}).json()["changes"]
    assert [change["kind"] for change in older] == ["is", "is"]


@pytest.mark.usefixtures("heard")
def test_rename_is_undone(client: TestClient) -> None:
    assign(client, "voice 1", "AC/DC?")
    change = client.post(f"/api/v1/people/{quote('AC/DC?', safe='')}/rename", json={"name": "Ana"}).json()
    assert change["person"] == "Ana"
    undone = client.delete(f"{CORRECTIONS}/{change['number']}").json()
    assert undone["message"] == f"Undid change {change['number']}: AC/DC? was renamed to Ana"
    assert named(client, "AC/DC?")["speaker"]["videos"] == 3


def test_merge_of_people_is_undone_with_all_that_was_theirs(client: TestClient, heard: Database) -> None:
    assign(client, "voice 1", "Ana")
    assign(client, "voice 2", "Bo")
    enrol(heard, "Ana", voice("Ana"), recording="/both.wav", notes="host")
    enrol(heard, "Bo", voice("Bo"), recording="/both.wav", notes="guest")
    enrol(heard, "Bo", voice("Bo"), recording="/bo.wav")
    before = [named(client, name) for name in ("Ana", "Bo")]
    change = client.post("/api/v1/people/Bo/merge", json={"into": "Ana"}).json()
    merged = named(client, "Ana")
    assert (merged["speaker"]["videos"], merged["notes"], len(merged["recordings"])) == (3, "host; guest", 2)
    assert client.get("/api/v1/people/Bo").status_code == 404
    client.delete(f"{CORRECTIONS}/{change['number']}")
    for shown, after in zip(before, (named(client, name) for name in ("Ana", "Bo")), strict=True):
        assert shown["speaker"] == after["speaker"]
        assert shown["notes"] == after["notes"]
        assert recordings(shown) == recordings(after)
        assert [one["number"] for one in shown["changes"]] == [one["number"] for one in after["changes"]]


@pytest.mark.usefixtures("heard")
def test_later_change_of_the_name_is_undone_first(client: TestClient) -> None:
    assign(client, "voice 1", "Ana")
    first = client.post("/api/v1/people/Ana/rename", json={"name": "Bea"}).json()
    client.post("/api/v1/people/Bea/rename", json={"name": "Cleo"})
    answer = client.delete(f"{CORRECTIONS}/{first['number']}")
    assert answer.json()["title"] == "Bea is Cleo now."


def test_forgetting_wants_the_name_and_leaves_none(client: TestClient, heard: Database) -> None:
    assign(client, "voice 1", "Ana")
    client.post("/api/v1/people/Ana/rename", json={"name": "Anna"})
    assert client.get("/api/v1/people/Anna/traces").json()["videos"] == 3
    assert client.delete("/api/v1/people/Anna", params={"confirm": "Ana"}).status_code == 422
    assert client.delete("/api/v1/people/Anna").status_code == 422
    assert client.delete("/api/v1/people/Anna", params={"confirm": "Anna"}).json()["speakers"] == 3
    assert people(client, kind="person") == []
    for table in ("people_changes", "person_profiles", "corrections"):
        assert heard.query(f"SELECT * FROM {table}") == []  # noqa: S608


@pytest.mark.parametrize("path", ["/people/voice-9", "/people/Unheard", "/api/v1/people/voice-9/traces", "/people/x/../y"])
@pytest.mark.usefixtures("heard")
def test_unknown_name_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"after": "x"}, {"after": "1~person~x"}, {"limit": "0"}, {"limit": "1001"}, {"kind": "odd"}, {"odd": "1"}],
)
def test_wrong_place_in_the_list_is_a_problem(client: TestClient, query: dict[str, str]) -> None:
    assert client.get("/api/v1/people", params=query).status_code == 422


@pytest.mark.usefixtures("heard")
def test_places_continue_after_a_cursor(client: TestClient) -> None:
    first = client.get("/api/v1/people/voice 1/videos", params={"limit": 2}).json()
    rest = client.get("/api/v1/people/voice 1/videos", params={"limit": 2, "after": first["next"]}).json()
    assert [place["video_id"] for place in (*first["places"], *rest["places"])] == ["three", "two", "one"]
    assert rest["next"] is None
    assert client.get("/api/v1/people/voice 1/videos", params={"after": "x"}).status_code == 422


def test_hostile_names_are_text(client: TestClient, heard: Database) -> None:
    assign(client, "voice 1", HOSTILE)
    heard.query("UPDATE videos SET title = %s", [HOSTILE])
    person = people(client, kind="person")[0][0]
    for address in ("/people", "/people?kind=person", "/people/voice-2", f"/people/{quote(person, safe='')}"):
        page = client.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def test_empty_library_says_where_voices_come_from(client: TestClient) -> None:
    assert "No voice was heard yet" in client.get("/people").text


def test_speaker_without_vector_is_listed(client: TestClient, database: Database) -> None:
    speak(database, "one", ["Ana"])
    database.query("UPDATE local_speakers SET centroid = NULL")
    assert people(client) == []
    hear(database, {"two": ["Bo"]})
    assert [name for name, _, _ in people(client)] == ["Unknown", "voice 1"]
    assert client.get("/people").text.count("unknown") == 1
