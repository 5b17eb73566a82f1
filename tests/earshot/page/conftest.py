"""The page over the test session's Postgres: a client without a browser, and a real server for a real browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.pictures import browsing
from bench.harness.server import free_port
from earshot import Library
from earshot.page.app import create_app
from earshot.page.http.access import Access
from earshot.storage.database import Database

expect.set_options(timeout=120_000)  # a busy machine is no failure

SITE = "http://127.0.0.1"
LOOPBACK_ACCESS = Access()
CALL = Clip(TELEPHONE.package, TELEPHONE.path, start_s=0.0, end_s=40.0)


@pytest.fixture(scope="module", autouse=True)
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests of the page edit a sources.yaml of their own, and not the clone's."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sources", "people"):
            (folder / f"{name}.yaml").write_text(f"{name}:\n")
            patch.setenv(f"EARSHOT_{name.upper()}", str(folder / f"{name}.yaml"))
        yield


@pytest.fixture
def client(database: Database) -> TestClient:
    """The page of the emptied library, on loopback."""
    assert database
    return TestClient(create_app(Library(), Access()), base_url=SITE)


@contextmanager
def serving_page(
    library: Library, access: Access = LOOPBACK_ACCESS, mcp_corrections: bool = False, **options: Any
) -> Iterator[str]:
    """A real server of this library's page for the block, with further `options` of uvicorn; its URL."""
    app = create_app(library, access, mcp_corrections)
    options = {"log_level": "warning", **options, "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield f"{SITE}:{server.config.port}"
    finally:
        server.should_exit = True
        thread.join()


def serious_violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds in the page as it is now that is serious or critical: each rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], [node["html"] for node in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.fixture(scope="module")
def heard(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of one real telephone call of two people, ingested with the real models."""
    assert library
    folder: Path = tmp_path_factory.mktemp("calls")
    write_mp3(folder / "telephone.mp3", clip_samples(CALL))
    opened = Library()
    assert [outcome.result for outcome in opened.ingest(str(folder)).outcomes] == ["done"]
    return opened


@pytest.fixture(scope="module")
def heard_url(heard: Library) -> Iterator[str]:
    """The address of a real server of `heard`."""
    with serving_page(heard) as url:
        yield url


@pytest.fixture(scope="module")
def browser_page(heard_url: str) -> Iterator[Page]:
    """A headless browser at the page of `heard`."""
    with browsing(heard_url) as page:
        page.set_default_timeout(120_000)
        yield page
