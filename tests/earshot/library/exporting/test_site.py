"""A static site in Chromium, opened from the disk: no server."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bench.harness.pictures import browsing
from earshot import Library, open_library
from earshot.common.errors import EarshotError
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video

expect.set_options(timeout=120_000)  # a busy machine is no failure

HOSTILE = "<script>alert(1)</script><b>&"


@pytest.fixture
def opened(database: Database) -> Library:
    """Two videos with transcripts; title and name of one are markup."""
    add_video(
        database, "bridge", ("SPEAKER_00", "who paid for the bridge"), ("SPEAKER_01", "the École paid"), source="https://x/f"
    )
    add_video(database, "boat", ("SPEAKER_00", f"a boat {HOSTILE}"), source="https://x/f")
    for video in ("bridge", "boat"):
        run_stages(database, video, *STAGES)
    database.query("UPDATE videos SET state = 'ready'")
    database.query("UPDATE videos SET title = %s WHERE video_id = 'boat'", [HOSTILE])
    return open_library()


@pytest.mark.slow
def test_site_is_searched_from_the_disk(opened: Library, tmp_path: Path) -> None:
    assert opened.export_site(tmp_path / "site").videos == 2
    with browsing("about:blank") as page:
        page.goto((tmp_path / "site" / "index.html").as_uri())
        page.on("dialog", lambda dialog: pytest.fail(f"a script of a title ran: {dialog.message}"))
        search_and_open(page, tmp_path / "site")


def search_and_open(page: Page, site: Path) -> None:
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    box = page.get_by_role("searchbox")
    box.fill("ecole pai")
    expect(page.locator("#found")).to_have_text("1 passage")
    assert page.locator("#hits mark").all_inner_texts() == ["École", "paid"]
    page.locator("#hits a").click()
    expect(page).to_have_url((site / "videos" / "bridge.html").as_uri() + "#t10")
    expect(page.locator(":target")).to_contain_text("the École paid")
    page.go_back()
    box.fill("boat script")
    expect(page.locator("#hits li")).to_contain_text(HOSTILE)
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    box.fill("nowhere")
    expect(page.locator("#found")).to_have_text("0 passages")


def test_site_replaces_an_earlier_one_and_nothing_else(opened: Library, tmp_path: Path) -> None:
    opened.export_site(tmp_path / "site")
    opened.database.query("DELETE FROM videos WHERE video_id = 'boat'")
    opened.export_site(tmp_path / "site", "https://x/f")
    assert [path.name for path in (tmp_path / "site" / "videos").iterdir()] == ["bridge.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear")
    with pytest.raises(EarshotError, match="is no site"):
        opened.export_site(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
