"""The Postgres server: embedded or by URL, concurrent and repeated starts, its memory."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from earshot.common.errors import DatabaseDiskFull, DatabaseUnusable, Misconfigured
from earshot.config.settings import read_settings
from earshot.storage import server
from earshot.storage.database import Database, migrate
from earshot.storage.postgres import embedded
from earshot.storage.postgres.embedded import MOST_MEMORY
from earshot.storage.server import server_urls, stop_embedded
from tests.support.earshot_up import wait

STARTED_ON_FULL_DISK = (
    "2026-11-26 18:15:26.139 UTC [6216] LOG:  starting PostgreSQL 18.4 on x86_64-pc-linux-gnu\n"
    '2026-11-26 18:15:26.139 UTC [6216] FATAL:  could not write lock file ".s.PGSQL.5432.lock": No space left on device\n'
)
STARTED_AND_BROKEN = (
    "2026-11-26 18:16:26.139 UTC [7900] LOG:  starting PostgreSQL 18.4 on x86_64-pc-linux-gnu\n"
    "2026-11-26 18:16:26.139 UTC [7900] FATAL:  data directory has wrong ownership\n"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh home with a short path, as Postgres' socket needs."""
    path = Path(tempfile.mkdtemp(prefix="earshot-"))
    yield path
    stop_embedded(path)
    shutil.rmtree(path, ignore_errors=True)


def test_databases_are_created_at_url(library: Database) -> None:
    elsewhere = library.url.replace("/earshot?", "/elsewhere?")
    urls = server_urls(replace(read_settings(), database_url=elsewhere))
    assert urls.earshot == elsewhere
    assert "/elsewhere_dagster?" in urls.dagster
    assert urls.dagster_sqlalchemy.startswith("postgresql+psycopg2://")
    assert migrate(urls.earshot) != []
    assert Database(urls.earshot).query("SELECT count(*) AS videos FROM videos") == [{"videos": 0}]
    with psycopg.connect(urls.dagster) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("elsewhere_dagster",)


@pytest.mark.parametrize(("last", "error"), [(STARTED_ON_FULL_DISK, DatabaseDiskFull), ("", DatabaseUnusable)])
def test_full_disk_of_last_start_alone_is_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch, last: str, error: type[Misconfigured]
) -> None:
    def refuse(home: Path, _deadline: float) -> Path:
        (home / "postgres").mkdir(exist_ok=True)
        (home / "postgres" / "log").write_text(f"{STARTED_ON_FULL_DISK}{last or STARTED_AND_BROKEN}")
        raise subprocess.CalledProcessError(1, "pg_ctl")

    monkeypatch.setattr(embedded, "_ensure_running", refuse)
    with pytest.raises(error, match="could not write lock file" if last else "does not start"):
        server_urls(replace(read_settings(), home=home / "refused", database_url=None))


@pytest.mark.parametrize("url", ["mysql://host/earshot", "postgresql://host", "earshot"])
def test_invalid_database_url_is_refused(home: Path, url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="EARSHOT_DATABASE_URL"):
        server_urls(replace(read_settings(), home=home, database_url=url))


def test_unreachable_server_error_has_no_password(home: Path) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/earshot"
    with pytest.raises(DatabaseUnusable, match="cannot be used") as refused:
        server_urls(replace(read_settings(), home=home, database_url=url))
    assert "secret" not in str(refused.value)


def test_audio_without_its_database_is_not_given_an_empty_one(folder: Path) -> None:
    (folder / "media").mkdir()
    (folder / "media" / "episode-1.flac").write_bytes(b"fLaC")
    with pytest.raises(DatabaseUnusable, match=f"no {folder}/postgres. Put that folder back"):
        server_urls(replace(read_settings(), home=folder, database_url=None))
    assert sorted(entry.name for entry in folder.iterdir() if entry.name != ".postgres.lock") == ["media"]


@pytest.mark.slow
def test_processes_start_a_fresh_home_concurrently(folder: Path) -> None:
    command = [str(Path(sys.executable).parent / "earshot"), "videos", "--json"]
    environment = {**os.environ, "EARSHOT_HOME": str(folder)}
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [(process.communicate(timeout=600)[0], process.returncode) for process in processes]
    assert ends == [("[]\n", 0)] * 3


@pytest.mark.slow
def test_server_has_an_eighth_of_the_memory(folder: Path) -> None:
    settings = replace(read_settings(), home=folder, database_url=None)
    with psycopg.connect(server_urls(settings).earshot) as connection:
        row = connection.execute("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'").fetchone()
    assert row is not None
    assert row[0] == pytest.approx(min(psutil.virtual_memory().total / 8, MOST_MEMORY), rel=0.01)


@pytest.mark.slow
def test_killed_server_restarts_after_its_last_process(folder: Path) -> None:
    settings = replace(read_settings(), home=folder, database_url=None)
    log, refused = folder / "postgres" / "log", "pre-existing shared memory block"
    working = psycopg.connect(server_urls(settings).earshot)
    last = psutil.Process(working.info.backend_pid)
    last.suspend()  # does not notice that its server is gone, as if it were computing

    def resume_after_refusal() -> None:
        wait(lambda: refused in log.read_text(), 60, "no server was refused")
        last.resume()

    with ThreadPoolExecutor() as pool:
        _kill(folder / "postgres")
        ending = pool.submit(resume_after_refusal)
        with psycopg.connect(server_urls(settings).earshot) as restarted:
            assert restarted.execute("SELECT 1").fetchone() == (1,)
        ending.result()
    assert stop_embedded(folder)


@pytest.mark.slow
def test_dead_server_is_started_again_once_for_its_user(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = replace(read_settings(), home=folder, database_url=None)
    database = Database(server_urls(settings).earshot)
    migrate(database.url)
    [before] = database.query("SELECT pg_postmaster_start_time() AS at, pg_backend_pid() AS process")
    _kill(folder / "postgres")
    wait(lambda: not psutil.pid_exists(before["process"]), 60, "its process did not notice")
    [after] = database.query("SELECT pg_postmaster_start_time() AS at, pg_backend_pid() AS process")
    assert after["at"] > before["at"]
    assert [record.message for record in caplog.records] == [
        f"The embedded Postgres had stopped, and was started again. {folder}/postgres/log says why."
    ]
    (folder / "postgres").rename(folder / "taken away")
    _kill(folder / "taken away")
    wait(lambda: not psutil.pid_exists(after["process"]), 60, "its process did not notice")
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match=f"its files are gone from {folder}/postgres. Put them back"):
            database.query("SELECT 1")
    (folder / "taken away").rename(folder / "postgres")
    server_urls(settings)
    assert stop_embedded(folder)


@pytest.mark.slow
def test_suspended_server_is_reported_in_time_and_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "START_S", 3.0)
    settings = replace(read_settings(), home=folder, database_url=None)
    server_urls(settings)
    monkeypatch.setattr(server, "_urls", {})
    psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().split()[0])).suspend()
    with pytest.raises(DatabaseUnusable, match="does not answer within 3 s"):
        server_urls(settings)
    assert stop_embedded(folder)
    assert not (folder / "postgres" / "postmaster.pid").exists()


def _kill(data: Path) -> None:
    psutil.Process(int((data / "postmaster.pid").read_text().split()[0])).kill()


@pytest.mark.slow
def test_stale_pid_of_another_process_is_left_alone(folder: Path) -> None:
    settings = replace(read_settings(), home=folder, database_url=None)
    server_urls(settings)
    file = folder / "postgres" / "postmaster.pid"
    number, *rest = file.read_text().splitlines()
    psutil.Process(int(number)).kill()
    file.write_text("\n".join([str(os.getpid()), *rest]) + "\n")
    assert not stop_embedded(folder)
    with psycopg.connect(server_urls(settings).earshot) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert stop_embedded(folder)
