"""A full disk, as the page answers it."""

from starlette.testclient import TestClient

from earshot import Library
from earshot.page.app import create_app
from earshot.page.http.access import Access
from earshot.page.http.problems import status_of
from earshot.storage.database import Database
from earshot.storage.full_disk import database_disk_full, disk_full
from tests.earshot.page.conftest import SITE


def test_change_that_a_full_disk_refused_is_answered_with_507(database: Database) -> None:
    app = create_app(Library(), Access())

    @app.post("/api/v1/changes")
    def change() -> None:
        database.query("DO $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$")

    answer = TestClient(app, base_url=SITE).post("/api/v1/changes", headers={"Origin": SITE})
    assert answer.status_code == 507
    assert answer.json()["title"] == "The disk of the database is full: nothing was changed."


def test_database_that_cannot_start_on_a_full_disk_is_unavailable() -> None:
    assert status_of(database_disk_full("No space left on device")) == 503
    assert status_of(disk_full("No space left on device")) == 507
