"""Search: its page without a browser, and its API."""

import json

import pytest
from starlette.testclient import TestClient

from earshot.page.pages.search import marked_parts
from earshot.storage.database import Database
from tests.support.captions import mark_captions
from tests.support.videos.spoken_videos import add_video

HOSTILE = '<script>alert(1)</script> \u202edesrever & "quoted" {{7*7}} ' + "x" * 10_000


@pytest.fixture
def said(database: Database) -> None:
    """A video about bridges, in English."""
    add_video(database, "bridge", ("SPEAKER_00", "who paid for the bridges"), ("SPEAKER_01", "nobody paid"))


@pytest.mark.usefixtures("said")
def test_words_of_the_question_are_marked_in_every_form(client: TestClient) -> None:
    page = client.get("/search", params={"q": "bridge paying", "words": "true"}).text
    assert "<mark>paid</mark>" not in page  # an irregular form has another stem
    assert "<mark>bridges</mark>" in page
    assert 'href="/videos/bridge?t=0.0"' in page


@pytest.mark.usefixtures("said")
def test_captions_are_marked_and_lead_to_the_original(client: TestClient, database: Database) -> None:
    mark_captions(database, "bridge")
    page = client.get("/search", params={"q": "bridges", "words": "true"}).text
    assert '<span class="captions">automatic captions of the site</span>' in page
    assert 'href="https://x/bridge#t=0"' in page
    assert "SPEAKER_00" not in page
    [hit] = client.get("/api/v1/search", params={"q": "bridges", "words": "true"}).json()["hits"]
    assert (hit["captions"], hit["speakers"]) == ({"origin": "site", "automatic": True}, [])


@pytest.mark.usefixtures("said")
def test_api_answers_as_the_command_line_does(client: TestClient) -> None:
    answer = client.get("/api/v1/search", params={"q": "bridges", "words": "true"}).json()
    [hit] = answer["hits"]
    assert (hit["video_id"], hit["speakers"]) == ("bridge", ["SPEAKER_00"])
    assert [hit["text"][start:end] for start, end in hit["marks"]] == ["bridges"]


@pytest.mark.usefixtures("said")
def test_facets_count_passages(client: TestClient) -> None:
    facets = client.get("/api/v1/search/facets", params={"q": "paid", "words": "true"}).json()
    assert facets["passages"] == 2
    assert facets["languages"] == [{"value": "en", "label": "en", "passages": 2}]
    assert facets["speakers"] == []


@pytest.mark.usefixtures("said")
def test_nothing_found_offers_the_next_best(client: TestClient) -> None:
    page = client.get("/search", params={"q": '"nobody bridges"', "words": "true", "language": "en"}).text
    assert "Nothing was found for" in page
    for offer in ("Search everything", "Search by meaning, too", "Search without quotation marks"):
        assert offer in page


@pytest.mark.usefixtures("said")
def test_empty_fields_of_the_form_filter_nothing(client: TestClient) -> None:
    assert "<mark>" in client.get("/search?q=bridges&words=true&since=&until=").text


def test_empty_library_says_how_to_start(client: TestClient) -> None:
    assert "Add a source" in client.get("/").text


def test_what_a_speaker_says_is_text(client: TestClient, database: Database) -> None:
    add_video(database, "hostile", ("SPEAKER_00", f"bridge {HOSTILE}"))
    database.query("UPDATE videos SET state = 'ready', title = %s", [HOSTILE])
    for address in ("/", "/search?q=bridge&words=true", "/videos/hostile"):
        page = client.get(address).text
        assert "<script>alert" not in page
        assert "49" not in page.replace("x" * 100, "")
        assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"q": " "}, 422),
        ({"q": "x", "limit": 0}, 422),
        ({"q": "x", "page": 3, "limit": 200}, 422),
        ({"q": "x", "since": "yesterday"}, 422),
        ({"q": "x", "speaker": "Nobody"}, 404),
        ({"q": "x", "video": "absent"}, 404),
        ({"q": "x", "odd": "1"}, 422),
        ({}, 422),
    ],
)
def test_wrong_question_is_a_problem(client: TestClient, query: dict[str, str], status: int) -> None:
    answer = client.get("/api/v1/search", params={"words": "true", **query})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["title"]


@pytest.mark.usefixtures("said")
def test_unchanged_answer_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/api/v1/search", params={"q": "paid", "words": "true"})
    again = client.get(str(first.url), headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_openapi_document_describes_the_search(client: TestClient) -> None:
    document = json.loads(client.get("/api/v1/openapi.json").text)
    assert "/api/v1/search" in document["paths"]
    assert document["components"]["schemas"]["Hit"]["properties"]["marks"]


@pytest.mark.parametrize(
    ("marks", "parts"),
    [
        ((), [("a bridge", False)]),
        (((2, 8),), [("a ", False), ("bridge", True)]),
        (((0, 1), (2, 8)), [("a", True), (" ", False), ("bridge", True)]),
    ],
)
def test_parts_make_up_the_text(marks: tuple[tuple[int, int], ...], parts: list[tuple[str, bool]]) -> None:
    assert marked_parts("a bridge", marks) == parts
