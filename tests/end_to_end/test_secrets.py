"""Secrets (a feed's token, cookies, a proxy's password) stay out of logs, errors, metadata, tags, cursors and run config.

The sensor watches a feed whose addresses hold a token, the command line ingests it, its media fail in several ways; then
every table of both databases, every file of the home and all output is searched for the secrets.
"""

import subprocess
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterInstance, SensorResult, build_sensor_context
from psycopg import sql

from earshot.config.settings import read_settings
from earshot.storage.catalog.videos import list_videos
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from earshot.storage.server import server_urls
from ingest_assets.operations.ingest import IngestChoice, ingest
from sensors.new_uploads import new_uploads
from tests.support.earshot_up import EARSHOT
from tests.support.http_server import Answer, Site, moved

TOKEN = "s3cr3tT0ken4Feeds9f8e7d6c5b4a"
PASSWORD = "hunter2-of-the-proxy"
COOKIE = "c00kie-value-0123456789abcdef"
SECRETS = (TOKEN, PASSWORD, COOKIE)
# The columns of addresses to fetch: the only ones that may hold a token.
HOLD_ADDRESSES = {
    ("videos", "url"), ("videos", "source"), ("source_videos", "url"), ("source_videos", "source"), ("sources", "source"),
    ("source_videos", "captions"), ("captions", "file"), ("run_requests", "source"), ("listed", "url"), ("listed", "source"),
}  # fmt: skip


def watch(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed with a token, each of its media failing in another way; and one behind a proxy that is not there."""
    media = {
        "missing": Answer(status=404),
        "forbidden": Answer(status=403),
        "page": Answer(b"<html><body>Please log in</body></html>", headers={"Content-Type": "text/html"}),
        "away": moved(f"{site.url.replace('127.0.0.1', '127.0.0.2')}/x.mp3?token={TOKEN}"),
    }
    for name, answer in media.items():
        site.put(f"/{name}.mp3", answer)
    items = "".join(
        f"<item><guid>{name}</guid><title>{name}</title>"
        f'<enclosure url="{site.url}/{name}.mp3?auth={TOKEN}" type="audio/mpeg" length="1"/></item>'
        for name in media
    )
    site.put("/feed.xml", Answer(f'<rss version="2.0"><channel><title>Private</title>{items}</channel></rss>'.encode()))
    (folder / "cookies.txt").write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t{COOKIE}\n")
    (folder / "sources.yaml").write_text(
        "defaults:\n  pause: 0\n"
        f"sources:\n  - feed: {site.url}/feed.xml?token={TOKEN}\n    cookies: cookies.txt\n"
        f"  - feed: {site.url}/other.xml?token={TOKEN}\n    name: Behind a proxy\n"
        f"    proxy: http://somebody:{PASSWORD}@127.0.0.1:9\n"
    )
    monkeypatch.setenv("EARSHOT_SOURCES", str(folder / "sources.yaml"))


def test_secrets_are_only_in_columns_of_addresses(
    site: Site, database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watch(site, tmp_path, monkeypatch)
    answer = new_uploads(build_sensor_context(instance))
    assert isinstance(answer, SensorResult)
    seen = [f"{event.asset_key} {event.metadata}" for event in answer.asset_events]
    assert len(seen) == 2
    requests = [answer.cursor, *seen, *[str((run.run_key, run.tags, run.run_config)) for run in answer.run_requests or ()]]
    outcomes = list(ingest(watched_sources(), IngestChoice(), database, instance))
    printed = subprocess.run([EARSHOT, "ingest", "--dry-run"], capture_output=True, text=True, check=False)
    shown = subprocess.run([EARSHOT, "sources"], capture_output=True, text=True, check=False)
    # The secrets were used, and each video failed for its own reason.
    assert any(COOKIE in (asked.headers.get("Cookie") or "") for asked in site.asked)
    errors = {video.title: video.last_error or "" for video in list_videos(database)}
    assert "404" in errors["missing"]
    assert "403" in errors["forbidden"]
    assert "127.0.0.2" in errors["away"]
    assert errors["page"]
    assert "Behind a proxy" in printed.stderr
    output = [printed.stdout, printed.stderr, shown.stdout, shown.stderr]
    for text in [*requests, *[str(getattr(step, "error", "")) for step in outcomes], *errors.values(), *output]:
        assert not [secret for secret in SECRETS if secret in str(text)], text
    assert _found_in_databases() == []
    assert _found_in_files(read_settings().home) == []


def _found_in_databases() -> list[str]:
    urls = server_urls(read_settings())
    return [hit for url in (urls.earshot, urls.dagster) for hit in _found_in_database(url)]


def _found_in_database(url: str) -> list[str]:
    hits = []
    with psycopg.connect(url.replace("postgresql+psycopg2://", "postgresql://")) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
        for table, column in columns:
            if (table, column) in HOLD_ADDRESSES:
                continue
            searched = sql.SQL("SELECT {}::text FROM {} WHERE {}::text ~ %s LIMIT 1").format(
                *map(sql.Identifier, (column, table, column))
            )
            row = connection.execute(searched, ["|".join(SECRETS)]).fetchone()
            hits += [f"{table}.{column}: {row[0]}"] if row else []
    return hits


def _found_in_files(home: Path) -> list[str]:
    """Files of the home with a secret, except those of Postgres."""
    files = [path for path in home.rglob("*") if path.is_file() and "postgres" not in path.relative_to(home).parts[0]]
    return [str(path) for path in files for secret in SECRETS if secret.encode() in path.read_bytes()]
