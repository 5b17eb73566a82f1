"""Videos, sources and performance in a real browser: what only a browser shows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.pictures import browsing
from earshot import Library
from earshot.config.hints import Hints
from earshot.storage.catalog.video_hints import own_hints
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from tests.earshot.page.conftest import serious_violations, serving_page
from tests.earshot.page.pages.test_search_page import HOSTILE
from tests.support.library import fill

pytestmark = pytest.mark.slow

SOURCES = "# mine\nsources:\n  # the best\n  - feed: https://x/feed.xml   # weekly\n    name: Harbour Talk\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("sources") / "sources.yaml"
    path.write_text(SOURCES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARSHOT_SOURCES", str(path))
        yield path


@pytest.fixture(scope="module")
def page(library: Database, file: Path) -> Iterator[Page]:
    """A browser at the page of a library with a hostile, a failed and some other videos."""
    assert file
    fill(library, [f"v{number}" for number in range(30)], [" so"], source="https://x/feed.xml")
    library.query("UPDATE videos SET state = 'ready' WHERE video_id > 'v2'")
    library.query("UPDATE videos SET state = 'failed', title = %s, last_error = %s WHERE video_id = 'v1'", [HOSTILE] * 2)
    library.query(
        "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES ('v3', 'transcript', 'regression', 'error', 'gpu_clock', %s, 'run')",
        [HOSTILE],
    )
    with serving_page(Library()) as url, browsing(url) as opened:
        opened.set_default_timeout(120_000)
        yield opened


@pytest.mark.parametrize("path", ["/videos", "/sources", "/performance"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_page_is_accessible_and_fits(page: Page, path: str, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(path)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page.get_by_text("Reading")).to_have_count(0)
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if path != "/performance":
        page.locator(".remove").first.click()
        expect(page.locator("#confirm h2")).to_be_visible()
        assert serious_violations(page) == []
        page.get_by_role("button", name="Cancel").click()


def test_added_source_is_written_and_listed(page: Page, file: Path) -> None:
    page.goto("/sources")
    page.get_by_role("textbox", name="Address").fill("https://example.com/podcast.rss")
    page.get_by_text("Options").click()
    page.get_by_role("textbox", name="Name").fill("Podcast")
    page.get_by_role("button", name="Add the source").click()
    expect(page.get_by_role("link", name="Podcast")).to_be_visible()
    assert file.read_text() == f"{SOURCES}  - feed: https://example.com/podcast.rss\n    name: Podcast\n"
    page.get_by_role("button", name="Pause Podcast").click()
    expect(page.get_by_role("button", name="Resume Podcast")).to_be_visible()
    page.get_by_role("button", name="Remove Podcast").click()
    page.get_by_role("button", name="Stop watching").click()
    expect(page.get_by_role("link", name="Podcast")).to_have_count(0)
    assert file.read_text() == SOURCES


def test_hint_of_a_video_is_given_kept_and_cleared(page: Page, library: Database) -> None:
    def open_hints() -> None:
        page.goto("/videos/v5")
        page.get_by_role("button", name="Hints …").press("Enter")
        expect(page.get_by_role("dialog").get_by_label("Vocabulary", exact=True)).to_be_visible()

    open_hints()
    page.get_by_label("Speakers", exact=True).fill("4-2")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("speakers is '4-2'")
    page.get_by_label("Speakers", exact=True).fill("2")
    page.get_by_label("Vocabulary", exact=True).fill("Nagg, <b>Nell</b> 🎙")
    page.get_by_label("names of people").press("Space")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("dialog", name="Saved")).to_contain_text("transcript, speaker turns")
    expect(page.get_by_role("button", name="Run again")).to_be_focused()
    open_hints()
    assert serious_violations(page) == []
    assert page.get_by_label("Vocabulary", exact=True).input_value() == "Nagg, <b>Nell</b> 🎙"
    assert own_hints(library, "v5") == Hints(
        speakers="2", vocabulary=("Nagg", "<b>Nell</b> 🎙"), vocabulary_from=("people",)
    )  # fmt: skip
    page.get_by_role("button", name="Clear all").press("Enter")
    page.get_by_role("button", name="Close").press("Enter")
    open_hints()
    assert page.get_by_label("Vocabulary", exact=True).input_value() == ""
    assert own_hints(library, "v5") == Hints()


def test_hint_of_a_source_is_written_into_its_lines(page: Page, file: Path) -> None:
    def save(vocabulary: str) -> None:
        page.goto("/sources")
        page.get_by_role("button", name="Hints for Harbour Talk").press("Enter")
        page.get_by_label("Vocabulary", exact=True).fill(vocabulary)
        page.get_by_role("button", name="Save").press("Enter")
        expect(page.get_by_role("dialog", name="Saved")).to_contain_text("Out of date: 17 videos")

    save("Nagg, Nell")
    assert file.read_text() == f"{SOURCES}    vocabulary: [Nagg, Nell]\n"
    save("")
    assert file.read_text() == SOURCES


def test_mistake_is_told_and_keeps_what_was_typed(page: Page, file: Path) -> None:
    page.goto("/sources")
    page.get_by_role("textbox", name="Address").fill("ftp://example.com/feed")
    page.get_by_role("button", name="Add the source").click()
    expect(page.get_by_role("status")).to_contain_text("only http and https URLs are fetched")
    assert page.get_by_role("textbox", name="Address").input_value() == "ftp://example.com/feed"
    assert file.read_text() == SOURCES


def test_removal_asks_twice_and_goes_by_keyboard(page: Page, library: Database) -> None:
    page.goto("/videos?q=V9")
    page.get_by_role("button", name="Remove V9").press("Enter")
    button = page.get_by_role("button", name="Remove", exact=True)
    expect(page.get_by_role("dialog")).to_contain_text("1 word, 1 passage")
    expect(button).to_be_disabled()
    page.get_by_label("To remove it").press_sequentially("remove")
    button.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Removed V9.")
    assert get_video(library, "v9") is None
    page.reload()
    page.get_by_text("Removed (1)").click()
    page.get_by_role("button", name="Let V9 come back").click()
    expect(page.get_by_role("status")).to_contain_text("brings it back")
    assert library.query("SELECT * FROM excluded_videos") == []


def test_filter_and_page_are_in_the_address(page: Page) -> None:
    page.goto("/videos")
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#videos li")).to_have_count(1)
    expect(page.locator("#videos h2")).to_contain_text("<script>alert(1)</script>")
    page.go_back()
    expect(page.locator("#videos li").nth(3)).to_be_visible()


def test_accepted_speed_ends_its_check(page: Page) -> None:
    page.goto("/performance")
    expect(page.locator("#checks")).to_contain_text("transcript: gpu clock")
    page.locator("#checks").get_by_role("button", name="Accept as the new normal: transcript").click()
    page.get_by_role("button", name="Accept", exact=True).click()
    expect(page.locator("#checks")).to_contain_text("None in the last seven days")


def test_progress_moves_while_a_video_is_ingested(page: Page, library: Database, tmp_path: Path) -> None:
    clip = tmp_path / "telephone.mp3"
    write_mp3(clip, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, start_s=6.5, end_s=14.5)))
    page.goto("/videos")
    expect(page.locator("#now")).to_contain_text("Nothing runs")
    with ThreadPoolExecutor() as beside, psycopg.connect(library.url) as holding:
        holding.execute("LOCK TABLE segments, turns IN SHARE MODE")  # keeps a stage at its end until the page has shown it
        ingest = beside.submit(Library().ingest, str(clip))
        expect(page.locator("[data-running]")).to_contain_text("stage 2 of 5", timeout=180_000)
        second = page.locator("[data-running]").inner_text()
        holding.rollback()
        expect(page.locator("[data-running]")).to_have_count(0, timeout=300_000)
        assert [outcome.result for outcome in ingest.result(timeout=300).outcomes] == ["done"]
    assert any(stage in second for stage in ("transcript", "speaker turns"))
    assert library.query("SELECT state FROM videos WHERE title = 'telephone'") == [{"state": "ready"}]
