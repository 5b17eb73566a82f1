"""Screenshots of the UI, taken with a real browser, for the documentation and the tests.

    python -m bench.harness.pictures http://127.0.0.1:3000 docs/pictures/dagster

Its library must have a failed run and a failed backfill. Needs Chromium (`make test` installs it, or says what to do).
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

# Without these, Chromium checks for updates at every start.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Picture:
    """One page: its path under the UI's URL, and a text that it shows once it is complete.

    `click` is the selector of an element to click first, and `image` the alt text of an image that must then be visible.
    """

    name: str
    path: str
    text: str
    click: str = ""
    image: str = ""


def pictures_of(partition: str) -> tuple[Picture, ...]:
    """The asset graph, one partition's transcript, its checks, the report (which must exist), and the sensor."""
    return (
        Picture("asset-graph", "/locations/earshot/asset-groups/video", "text_embeddings"),
        Picture("partition", f"/assets/transcript?view=partitions&partition={quote(partition)}", "x_realtime"),
        Picture("checks", "/assets/text_embeddings?view=checks", "Evaluation result", click="text=regression >> nth=0"),
        Picture(
            "performance",
            "/assets/performance?view=overview",
            "items_per_second",
            "text=[Show Markdown] >> nth=1",
            "Inputs per second of computing",
        ),
        Picture("new-uploads", "/locations/earshot/sensors/new_uploads", "requested"),
    )


def more_pictures(partition: str, failed_run: str, failed_backfill: str) -> tuple[Picture, ...]:
    """The other pages of docs/guides/operation/dagster.md: runs, catalog, a partition of each other stage, and what failed."""
    stages = ("audio", "speaker_turns", "voice_embeddings", "text_embeddings")
    return (
        Picture("overview", "/overview/activity/timeline", "identify_people"),
        Picture("catalog", "/assets", "speaker_turns"),
        *(
            Picture(
                f"partition-{stage.replace('_', '-')}",
                f"/assets/{stage}?view=partitions&partition={quote(partition)}",
                "x_realtime",
            )
            for stage in stages
        ),
        Picture("failed/run", f"/runs/{failed_run}", "STEP_FAILURE"),
        Picture("failed/backfill", f"/runs/b/{failed_backfill}", "videos failed", "text=View error"),
    )


def chromium() -> str:
    """The browser's path; raises FileNotFoundError if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError("no Chromium on this machine: install the package chromium")


@contextmanager
def browsing(url: str) -> Iterator[Page]:
    """A page of a headless browser for the block; paths are relative to `url`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(base_url=url, viewport={"width": 1440, "height": 860})
        page.set_default_timeout(300_000)
        yield page
        browser.close()


def take(page: Page, picture: Picture, folder: Path) -> Path:
    """Open the picture's page, wait until it is complete, and write `<name>.png`; returns its path."""
    page.goto(picture.path)
    if picture.click:
        page.locator(picture.click).click()
    page.get_by_text(picture.text).first.wait_for(state="visible")
    if picture.image:
        page.get_by_alt_text(picture.image).wait_for(state="visible")
    page.wait_for_timeout(2_000)  # the graph is laid out and faded in after its text is visible
    target = folder / f"{picture.name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target)
    return target


def main() -> None:
    """Take the pictures, of the partition that was materialized first and of what failed last."""
    url, folder = sys.argv[1], Path(sys.argv[2])
    from dagster import DagsterRunStatus, RunsFilter

    from earshot.storage.catalog.videos import list_videos
    from earshot.storage.database import open_database
    from resources.instance.dagster_internals import BulkActionsFilter, BulkActionStatus
    from resources.instance.home import open_instance

    partition = list_videos(open_database(), state="ready")[-1].video_id
    [failed] = open_instance().get_runs(RunsFilter(statuses=[DagsterRunStatus.FAILURE]), limit=1)
    [backfill] = open_instance().get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.COMPLETED_FAILED]), limit=1)
    with browsing(url) as page:
        for picture in (*pictures_of(partition), *more_pictures(partition, failed.run_id, backfill.backfill_id)):
            print(take(page, picture, folder))


if __name__ == "__main__":
    main()
