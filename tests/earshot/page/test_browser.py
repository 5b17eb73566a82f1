"""The page over a real recording: in headless Chromium, where what is clicked is what is heard, and by made-up requests."""

import numpy as np
import pytest
from hypothesis import given, settings
from playwright.sync_api import Page, expect

from earshot import Library
from earshot.common.audio import SAMPLE_RATE
from earshot.library.reading.question_meter import EVERY
from earshot.page.app import API
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore
from tests.earshot.page.conftest import serious_violations
from tests.support.captions import mark_captions

pytestmark = pytest.mark.slow

HEARD_S = 1.5
EXAMPLES = 15  # made-up requests of each operation

# Records what the player plays, as samples at 16 kHz.
RECORD = """async (seconds) => {
    const audio = document.getElementById("audio");
    const context = new AudioContext({ sampleRate: 16000 });
    const recorder = context.createScriptProcessor(4096, 1, 1);
    const heard = [];
    recorder.onaudioprocess = (event) => { if (!audio.paused) heard.push(...event.inputBuffer.getChannelData(0)); };
    context.createMediaElementSource(audio).connect(recorder);
    recorder.connect(context.destination);
    await context.resume();
    while (heard.length < seconds * 16000) await new Promise((done) => setTimeout(done, 50));
    return { heard, at: audio.currentTime };
}"""


@pytest.fixture
def video_id(heard: Library) -> str:
    [video] = heard.videos("ready")
    return video.video_id


def test_question_is_typed_and_the_passage_heard(browser_page: Page, heard: Library, library: Database) -> None:
    passage = library.query("SELECT text, start_s, video_id FROM passages ORDER BY end_s - start_s DESC LIMIT 1")[0]
    page = browser_page
    page.goto("/")
    page.keyboard.type(passage["text"][:60])
    page.keyboard.press("Enter")
    expect(page.locator(".hit")).not_to_have_count(0)
    [hit, *_] = heard.search(passage["text"][:60]).hits
    first = page.locator(".hit").first
    expect(first.locator(".said")).to_have_text(hit.text)
    assert first.locator("mark").count() > 0
    first.locator(".play").click()
    heard_samples = page.evaluate(RECORD, HEARD_S)
    [row] = library.query("SELECT uri FROM audio WHERE video_id = %s", [hit.video_id])
    stored = MediaStore().read(row["uri"], dtype="float32")
    begun_s = _place_of(np.array(heard_samples["heard"]), stored)
    assert abs(begun_s + HEARD_S - heard_samples["at"]) < 0.5
    assert hit.start_s - 0.5 < begun_s < hit.start_s + 3.0


def _place_of(heard: np.ndarray, stored: np.ndarray) -> float:
    """Where in the stored samples these were, in seconds, by cross-correlation; they must be them."""
    middle = heard[len(heard) // 4 :]
    spectrum = np.fft.rfft(stored, len(stored) + len(middle)) * np.conj(np.fft.rfft(middle, len(stored) + len(middle)))
    best = int(np.argmax(np.fft.irfft(spectrum)[: len(stored)]))
    same = stored[best : best + len(middle)]
    assert np.corrcoef(same, middle[: len(same)])[0, 1] > 0.9
    return (best - len(heard) // 4) / SAMPLE_RATE


def test_word_is_clicked_and_marked(browser_page: Page, library: Database, video_id: str) -> None:
    words = library.query("SELECT start_s, text FROM words WHERE video_id = %s ORDER BY word_index", [video_id])
    wanted = words[len(words) // 2]
    page = browser_page
    page.goto(f"/videos/{video_id}?t={wanted['start_s'] + 0.01:.2f}")
    expect(page.locator("[data-word].now")).to_have_text(wanted["text"].strip())
    later = words[len(words) // 2 + 3]
    page.get_by_text(later["text"].strip(), exact=True).first.wait_for()
    page.locator("[data-word].now ~ [data-word], .paragraph.now ~ .paragraph [data-word]").nth(2).click()
    page.wait_for_function("!document.getElementById('audio').paused")
    at = page.evaluate("document.getElementById('audio').currentTime")
    assert abs(at - later["start_s"]) < 0.5 + 1.0
    page.keyboard.press(" ")
    page.wait_for_function("document.getElementById('audio').paused")


def test_reader_who_scrolls_is_not_followed(browser_page: Page, video_id: str) -> None:
    page = browser_page
    page.goto(f"/videos/{video_id}")
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "true")
    page.mouse.move(600, 600)
    page.mouse.wheel(0, 300)
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")
    page.locator("#follow").click()
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "true")


def test_text_is_found_in_the_page(browser_page: Page, library: Database, video_id: str) -> None:
    page = browser_page
    page.goto(f"/videos/{video_id}")
    words = [row["text"].strip() for row in library.query("SELECT text FROM words WHERE video_id = %s", [video_id])]
    wanted = max(words, key=len)
    page.locator("#find").fill(wanted)
    expect(page.locator("#found")).to_contain_text("1 of")
    expect(page.locator("[data-word].found").first).to_contain_text(wanted)


def test_shared_address_and_back_show_the_same(browser_page: Page) -> None:
    page = browser_page
    page.goto("/search?q=call&words=true")
    expect(page.locator("#counts .count")).not_to_have_count(0)
    shown = page.locator("main").inner_text()
    page.locator(".hit .open").first.click()
    expect(page.locator(".paragraph")).not_to_have_count(0)
    page.go_back()
    expect(page.locator("main")).to_have_text(shown, use_inner_text=True)
    page.reload()
    expect(page.locator("main")).to_have_text(shown, use_inner_text=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("address", ["/", "/search?q=call", "/search?q=xyzzy&words=true", "/videos/{}", "/absent", "/login"])
def test_axe_finds_no_serious_violation(browser_page: Page, video_id: str, address: str, width: int, scheme: str) -> None:
    page = browser_page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
    page.goto(address.format(video_id), wait_until="networkidle")
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation_in_captions(browser_page: Page, library: Database, video_id: str, scheme: str) -> None:
    page = browser_page
    mark_captions(library, video_id)
    try:
        page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
        page.goto("/search?q=call&words=true", wait_until="networkidle")
        expect(page.locator(".captions").first).to_have_text("automatic captions of the site")
        assert serious_violations(page) == []
    finally:
        library.query("DELETE FROM captions")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_in_what_opens(browser_page: Page, video_id: str, width: int, scheme: str) -> None:
    page = browser_page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
    page.goto(f"/videos/{video_id}", wait_until="networkidle")
    for menu in ("Download", "Corrections", "Stages"):
        page.get_by_text(menu, exact=True).click()
        assert serious_violations(page) == []
        page.get_by_text(menu, exact=True).click()
    for button in (".paragraph .speaker", ".paragraph .edit"):
        page.locator(".paragraph").first.hover()
        page.locator(button).first.click()
        page.get_by_role("dialog").wait_for()
        assert serious_violations(page) == []
        page.keyboard.press("Escape")
    page.goto("/search?q=call", wait_until="networkidle")
    page.locator("details.days summary").click()
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_operations_answer_as_they_are_documented(heard_url: str) -> None:
    """Whatever is asked, no answer is a server error or another object than the OpenAPI document says."""
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    document = schemathesis.openapi.from_url(f"{heard_url}{API}/openapi.json")
    operations = [result.ok() for result in document.get_all_operations() if isinstance(result, Ok)]
    assert operations
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, database=None)
        @given(case=operation.as_strategy())
        def call(case: schemathesis.Case) -> None:
            # A schema cannot say that a name must exist.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        call()


def test_some_questions_of_a_server_are_measured(heard: Library, library: Database) -> None:
    server = Library(measured_as="page-test")
    for _ in range(EVERY + 2):
        assert server.search("what did they talk about", limit=1).hits == heard.search("what did they talk about", limit=1).hits
    rows = library.query("SELECT * FROM asset_timings WHERE asset = 'questions' ORDER BY timing_id")
    assert [(row["run_id"], row["items"], row["device"], row["device_asked"]) for row in rows] == [
        ("page-test", 1.0, "cpu", "cpu"),
        ("page-test", 1.0, "cpu", "cpu"),
    ]
    assert all(0 < row["compute_s"] <= row["wall_s"] for row in rows)
    assert "questions" in heard.timings_report()["asset"].tolist()
