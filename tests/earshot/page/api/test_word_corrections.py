"""Words corrected where one reads: the API, and the page in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.testclient import TestClient

from bench.harness.pictures import browsing
from earshot import Library
from earshot.storage.database import Database
from tests.earshot.page.conftest import serving_page
from tests.support.library import fill

URL = "/api/v1/videos/call/word-corrections"
SAID = (" A", " well", "-known", " um", " Port", " Author", " ity", " paid.")


@pytest.fixture
def call(database: Database) -> Database:
    """Video `call`, in which one speaker says SAID, a second a word."""
    fill(database, ["call"], SAID)
    database.query("UPDATE passages SET language = 'en'")
    return database


def words(client: TestClient) -> list[str]:
    [paragraph] = client.get("/api/v1/videos/call/transcript").json()["paragraphs"]
    return [word[2] for word in paragraph["words"]]


@pytest.mark.usefixtures("call")
def test_correction_is_listed_and_undone(client: TestClient) -> None:
    made = client.post(URL, json={"start_s": 4.0, "end_s": 7.0, "text": "Port Authority"}).json()
    assert made["message"] == f"Word correction {made['number']}: 'Port Author ity' is now 'Port Authority' at 0:00:04."
    [listed] = client.get(URL).json()["corrections"]
    assert (listed["number"], listed["text"], listed["heard"], listed["applies"]) == (
        made["number"], "Port Authority", "Port Author ity", True,
    )  # fmt: skip
    [paragraph] = client.get("/api/v1/videos/call/transcript").json()["paragraphs"]
    assert [paragraph["words"][position][2] for position in paragraph["corrected"]] == [" Authority"]
    undone = client.delete(f"/api/v1/word-corrections/{made['number']}").json()
    assert undone["number"] == made["number"]
    assert (client.get(URL).json()["corrections"], words(client)) == ([], list(SAID))


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"start_s": 60, "end_s": 61, "text": "x"}, 422),
        ({"start_s": -1, "end_s": 61, "text": "x"}, 422),
        ({"start_s": "NaN", "end_s": 61, "text": "x"}, 422),
        ({"start_s": 0, "end_s": 1e308, "text": "a\0b"}, 422),
        ({"start_s": 0, "end_s": 2, "text": "x" * 2001}, 422),
        ({"start_s": 0, "text": "x"}, 422),
        ({}, 422),
    ],
)
def test_wrong_correction_is_a_problem(client: TestClient, body: dict[str, Any], status: int) -> None:
    answer = client.post(URL, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert client.get(URL).json()["corrections"] == []


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize(("number", "status"), [("999", 404), ("0", 422), ("99999999999999999999", 422), ("x", 422)])
def test_unknown_number_is_a_problem(client: TestClient, number: str, status: int) -> None:
    assert client.delete(f"/api/v1/word-corrections/{number}").status_code == status


def test_unknown_video_is_a_problem(client: TestClient) -> None:
    assert client.get(URL).status_code == 404
    assert client.post(URL, json={"start_s": 0, "end_s": 1, "text": "x"}).status_code == 404


@pytest.fixture
def page(call: Database) -> Iterator[Page]:
    """A headless browser at the page of `call`."""
    assert call
    with serving_page(Library()) as url, browsing(url) as opened:
        opened.set_default_timeout(120_000)
        opened.goto(f"{url}/videos/call")
        yield opened


@pytest.mark.slow
def test_words_are_corrected_and_undone_in_a_browser(page: Page, client: TestClient) -> None:
    def edit(text: str) -> None:
        page.keyboard.press("Escape")  # closes a menu that lies over the paragraph
        page.locator(".paragraph").hover()
        page.get_by_role("button", name="Correct the words").click()
        page.get_by_role("textbox", name="Words").fill(text)
        page.get_by_role("button", name="Save").click()
        page.get_by_role("button", name="Undo").first.wait_for()

    edit("A well-known <b>Port</b> Authority paid.")
    page.get_by_text("is now").wait_for()
    assert words(client) == [" A", " well", "-known", " <b>Port</b>", " Authority", " paid."]
    assert page.locator(".said").inner_text() == "A well-known <b>Port</b> Authority paid."
    assert page.locator(".corrected").all_inner_texts() == [" <b>Port</b>", " Authority"]
    assert "&lt;b&gt;Port&lt;/b&gt;\n" in client.get("/api/v1/videos/call/export?format=vtt").text
    assert "Authority paid." in client.get("/api/v1/videos/call/export?format=srt").text
    assert client.get("/api/v1/search", params={"q": "authority", "words": "true"}).json()["hits"]

    page.get_by_text("Corrections", exact=True).click()
    page.get_by_role("button", name="Undo the correction at 0:00:03").click()
    page.get_by_text("No words were corrected").wait_for()
    assert page.locator(".said").inner_text() == "".join(SAID).strip()
    assert words(client) == list(SAID)

    edit("")
    page.get_by_text("Nothing was said").wait_for()
