"""The page of people in a real browser: naming by keyboard, and what only a browser shows."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from bench.harness.pictures import browsing
from earshot import Library
from earshot.storage.database import Database
from tests.earshot.page.conftest import serious_violations, serving_page
from tests.earshot.page.people_library import hear
from tests.support.videos.voice_videos import enrol, voice

pytestmark = pytest.mark.slow

NAMES = ("Ana", "Bo", "Cy", "Di", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo")
HOSTILE = '<script>alert(1)</script> & "Bo" \u200f' + "x" * 60


@pytest.fixture(scope="module")
def site(library: Database) -> Iterator[Page]:
    """A headless browser at the page of the session's library."""
    with serving_page(Library()) as url, browsing(url) as page:
        page.set_default_timeout(120_000)
        assert library
        yield page


@pytest.fixture
def voices(database: Database) -> Library:
    """Ten voices, each in two of ten videos with another, so that voice 1 is heard first and all speak for as long."""
    hear(database, {f"talk{index}": [name, NAMES[(index + 1) % 10]] for index, name in enumerate(NAMES)})
    return Library()


def names(library: Library) -> dict[str, set[str]]:
    """The names shown in each video."""
    return {
        f"talk{index}": {paragraph.speaker for paragraph in library.readable_transcript(f"talk{index}").paragraphs}
        for index in range(10)
    }


def test_ten_voices_are_named_by_keyboard_alone(site: Page, voices: Library) -> None:
    before = names(voices)
    site.goto("/people")
    site.keyboard.press("Tab")  # to the link that skips the bar; the pages of the bar follow
    site.locator("#start").focus()
    site.keyboard.press("Enter")
    for number, name in enumerate(NAMES, 1):
        expect(site.locator("h1")).to_have_text(f"voice {number}")
        expect(site.locator("#name-field")).to_be_focused()
        site.keyboard.type(name)
        site.keyboard.press("Enter")
    expect(site.get_by_text("Every voice has a name.")).to_be_visible()
    expect(site.locator(".changes li")).to_have_count(10)
    assert names(voices) == {f"talk{index}": {name, NAMES[(index + 1) % 10]} for index, name in enumerate(NAMES)}
    site.goto("/videos/talk3")
    expect(site.locator(".paragraph .speaker")).to_have_text(["Di", "Eli", "Di", "Eli"])
    site.go_back()
    for left in range(10, 0, -1):
        site.locator(".changes button").first.click()
        expect(site.locator(".changes li")).to_have_count(left - 1)
    assert names(voices) == before


@pytest.mark.usefixtures("voices")
def test_digit_plays_a_sample_and_typed_names_keep_theirs(site: Page) -> None:
    site.goto("/people/voice-1")
    site.keyboard.press("2")
    clip = site.locator("#chosen .play").nth(1)
    expect(clip).to_have_class("play playing")
    site.wait_for_function("document.getElementById('audio').currentTime > 0.2")
    start, video = float(clip.get_attribute("data-start") or -1), clip.get_attribute("data-video")
    playing = site.evaluate("[document.getElementById('audio').src, document.getElementById('audio').currentTime]")
    assert playing[0].endswith(f"/api/v1/videos/{video}/audio")
    assert start <= playing[1] < start + 8.0
    site.keyboard.type("R2")
    expect(site.locator("#name-field")).to_have_value("R2")


def test_offered_name_is_chosen_with_the_arrows(site: Page, voices: Library) -> None:
    enrol(voices.database, "Ann", 0.6 * voice("Ana") + 0.8 * voice("else"))
    enrol(voices.database, "Zoe", voice("Zoe"))
    voices.corrections.assign("voice 10", "Jo")
    site.goto("/people/voice-1")
    expect(site.locator("#offers li")).to_contain_text("Ann")
    site.keyboard.type("zo")
    expect(site.locator("#offers li")).to_have_text("Zoe")
    site.keyboard.press("Escape")
    expect(site.locator("#offers li")).to_have_count(1)
    site.keyboard.press("ArrowDown")
    site.keyboard.press("Enter")
    expect(site.locator("#message")).to_contain_text("is Ann.")
    assert "Ann" in names(voices)["talk0"]


def test_skipped_voice_stays_and_undo_returns_to_the_named_one(site: Page, voices: Library) -> None:
    site.goto("/people/voice-1")
    site.keyboard.press("Escape")
    expect(site.locator("h1")).to_have_text("voice 2")
    site.keyboard.type("Bo")
    site.keyboard.press("Enter")
    expect(site.locator("h1")).to_have_text("voice 3")
    expect(site.locator("#message")).to_contain_text("is Bo.")
    site.keyboard.press("Control+z")
    expect(site.locator("h1")).to_have_text("voice 2")
    expect(site).to_have_url(re.compile("/people/voice-2$"))
    assert [person.name for person in voices.people.browse("person").people] == []
    site.go_back()
    expect(site.locator("h1")).to_have_text("voice 3")


@pytest.mark.usefixtures("voices")
def test_failed_naming_is_told_and_the_voice_is_listed_again(site: Page) -> None:
    site.goto("/people/voice-1")
    site.keyboard.type("Speaker_00")
    site.keyboard.press("Enter")
    expect(site.locator("#message")).to_contain_text("Allowed")
    expect(site.locator("#list [data-who='voice 1']")).to_be_visible()


def test_person_is_renamed_merged_and_forgotten(site: Page, voices: Library) -> None:
    voices.corrections.assign("voice 1", "Ana")
    voices.corrections.assign("voice 2", "Bo")
    site.goto("/people/Bo")
    site.get_by_label("Name", exact=True).fill("Bob")
    site.get_by_role("button", name="Rename").click()
    expect(site.locator("h1")).to_have_text("Bob")
    site.get_by_text("Merge, forget").click()
    site.get_by_label("The same person as").fill("Ana")
    site.get_by_role("button", name="Merge").click()
    expect(site.locator("h1")).to_have_text("Ana")
    site.locator("#message button").click()
    expect(site.locator("h1")).to_have_text("Bob")
    site.get_by_text("Merge, forget").click()
    site.get_by_role("button", name="Forget …").click()
    site.get_by_label("Type Bob to go on").fill("Bob")
    site.get_by_role("button", name="Forget", exact=True).click()
    expect(site.locator("#message")).to_have_text("Bob is forgotten.")
    assert [person.name for person in voices.people.browse("person").people] == ["Ana"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_are_accessible_and_fit_with_hostile_names(site: Page, voices: Library, width: int, scheme: str) -> None:
    voices.corrections.assign("voice 1", HOSTILE)
    voices.database.query("UPDATE videos SET title = %s", [HOSTILE * 80])
    enrol(voices.database, "W" * 100, 0.6 * voice("Bo") + 0.8 * voice("else"))
    voices.corrections.assign("voice 10", "Jo")
    site.set_viewport_size({"width": width, "height": 844})
    site.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for address in ("/people", "/people?kind=person", "/people/voice-2", "/people/Jo"):
        site.goto(address)
        for details in site.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        assert site.evaluate("document.documentElement.scrollWidth") == width
        assert serious_violations(site) == []
        forget = site.get_by_role("button", name="Forget …")
        if forget.count():
            forget.click()
            expect(site.locator("#forget-title")).to_be_visible()
            assert serious_violations(site) == []
            site.locator("#forget-cancel").click()
    site.set_viewport_size({"width": 1440, "height": 860})


def test_similar_voice_is_heard_beside_and_merged(site: Page, voices: Library) -> None:
    voices.database.query(
        "UPDATE speaker_totals SET centroid = (SELECT centroid FROM speaker_totals WHERE (kind, id) = ('voice', 1)) "
        "WHERE (kind, id) = ('voice', 9)"
    )
    site.goto("/people/voice-1")
    other = site.locator("[data-other='voice 9']")
    expect(other).to_contain_text("1.00")
    other.get_by_role("button", name="Hear").click()
    other.locator(".play").first.click()
    expect(other.locator(".play").first).to_have_class("play playing")
    other.get_by_role("button", name="Same voice").click()
    expect(site.locator("#message")).to_contain_text("are one voice.")
    expect(site.locator("#chosen .about").first).to_contain_text("4 videos")
    site.locator("#message button").click()
    expect(site.locator("#chosen .about").first).to_contain_text("2 videos")
    assert voices.people.counts()["voice"] == 10
