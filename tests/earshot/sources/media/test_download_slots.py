"""Download slots, taken by real threads and processes on a real Postgres."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from earshot.common.errors import Blocked, Retryable
from earshot.config.settings import PROJECT_ROOT
from earshot.config.sources_file import Kind, Source
from earshot.models import measurement
from earshot.models.measurement import IoPlace, Measurement
from earshot.sources.media.download_slots import download_slot
from earshot.storage.database import Database

FEED = Source(Kind.FEED, "https://podcast.example/feed.xml", "A podcast", pause_s=0.0)

TAKE = """
import json, sys, time
from earshot.storage.database import open_database
from earshot.sources.media.download_slots import download_slot
from earshot.config.sources_file import Kind, Source
at_once, pause_s = int(sys.argv[1]), float(sys.argv[2])
source = Source(Kind.FEED, "https://podcast.example/feed.xml", "A podcast", at_once=at_once, pause_s=pause_s)
for _ in range(3):
    with download_slot(open_database(), source):
        started = time.time()
        time.sleep(0.15)
        print(json.dumps([started, time.time()]), flush=True)
"""
HOLD = """
import sys
from earshot.storage.database import open_database
from earshot.sources.media.download_slots import download_slot
from earshot.config.sources_file import Kind, Source
with download_slot(open_database(), Source(Kind.FEED, "https://podcast.example/feed.xml", "A podcast")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_by_another(database: Database) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the source's only slot."""
    assert database.url
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=pipe, stdout=pipe, text=True, cwd=PROJECT_ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def pause_source(database: Database, seconds: float) -> None:
    database.query(
        "INSERT INTO sources (source, paused_until) VALUES (%s, now() + make_interval(secs => %s)) "
        "ON CONFLICT (source) DO UPDATE SET paused_until = excluded.paused_until",
        [FEED.address, seconds],
    )


def turns_of_two_processes(at_once: int, pause_s: float) -> list[tuple[float, float]]:
    """Start and end times of the slots that two processes held, in order."""
    command: list[Any] = [sys.executable, "-c", TAKE, str(at_once), str(pause_s)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) for _ in range(2)]
    printed = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    return sorted((began, ended) for lines in printed for began, ended in map(json.loads, lines.splitlines()))


def test_two_processes_take_turns_with_a_pause_between(database: Database) -> None:
    turns = turns_of_two_processes(at_once=1, pause_s=0.3)
    assert len(turns) == 6
    gaps = [began - ended for (_, ended), (began, _) in pairwise(turns)]
    assert min(gaps) >= 0.29
    assert database.query("SELECT fetched_at IS NOT NULL AS known FROM sources") == [{"known": True}]


def test_threads_take_turns(database: Database) -> None:
    active, counts = 0, []
    lock = threading.Lock()

    def take(_: int) -> None:
        nonlocal active
        with download_slot(database, FEED):
            with lock:
                active += 1
                counts.append(active)
            time.sleep(0.05)
            with lock:
                active -= 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(take, range(8)))
    assert counts == [1] * 8


def test_source_allows_several_downloads_at_once(database: Database) -> None:
    together = threading.Barrier(2)

    def take(_: int) -> None:
        with download_slot(database, replace(FEED, at_once=2)):
            together.wait(timeout=60)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(take, range(2)))
    with download_slot(database, replace(FEED, at_once=2)), download_slot(database, replace(FEED, at_once=2)):
        third_holds = threading.Event()

        def third() -> None:
            with download_slot(database, replace(FEED, at_once=2)):
                third_holds.set()

        thread = threading.Thread(target=third)
        thread.start()
        assert not third_holds.wait(0.5)
    assert third_holds.wait(60)
    thread.join()


def test_sources_do_not_wait_for_each_other(database: Database, held_by_another: subprocess.Popen[str]) -> None:
    with download_slot(database, replace(FEED, address="https://other.example/feed.xml")):
        assert held_by_another.poll() is None


def test_killed_process_frees_its_slot(database: Database, held_by_another: subprocess.Popen[str]) -> None:
    held_by_another.kill()
    with download_slot(database, FEED):
        assert held_by_another.wait() != 0


def test_slot_is_freed_and_recorded_after_an_error(database: Database) -> None:
    with pytest.raises(Retryable), download_slot(database, FEED):
        raise Retryable("the network")
    assert database.query("SELECT 1 FROM sources WHERE fetched_at IS NOT NULL")
    with download_slot(database, FEED):
        pass


def test_local_files_need_no_slot(database: Database) -> None:
    folder = Source(Kind.FOLDER, "/srv/recordings", "Recordings", pause_s=3600.0)
    for _ in range(2):
        with download_slot(database, folder), download_slot(database, folder):
            pass
    assert database.query("SELECT 1 FROM sources") == []


def test_clock_set_back_prolongs_no_pause(database: Database) -> None:
    database.query("INSERT INTO sources (source, fetched_at) VALUES (%s, now() + interval '1 day')", [FEED.address])
    with download_slot(database, replace(FEED, pause_s=0.1)):
        pass


def test_paused_source_is_blocked(database: Database) -> None:
    pause_source(database, 600.0)
    with pytest.raises(Blocked, match="A podcast is paused") as raised, download_slot(database, FEED):
        pytest.fail("a slot was given")
    assert raised.value.pause_s == pytest.approx(600.0, abs=120.0)
    assert database.query("SELECT 1 FROM sources WHERE fetched_at IS NOT NULL") == []


def test_expired_pause_blocks_nothing(database: Database) -> None:
    pause_source(database, -1.0)
    with download_slot(database, FEED):
        pass


def test_waiting_download_is_blocked_by_a_new_pause(database: Database, held_by_another: subprocess.Popen[str]) -> None:
    outcome: list[str] = []

    def wait() -> None:
        try:
            with download_slot(database, FEED):
                outcome.append("started")
        except Blocked:
            outcome.append("blocked")

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + 60
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted GROUP BY pid HAVING count(*) = 1"
    while len(database.query(waits)) < 2:  # one process holds the slot, one waits
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pause_source(database, 600.0)
    held_by_another.kill()
    thread.join(60)
    assert outcome == ["blocked"]


def test_waiting_for_a_slot_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 11.0, 12.0, 15.0, 16.0])
    monkeypatch.setattr(measurement, "clock", lambda: next(seconds))
    measured = Measurement()
    with measured.waiting():
        pass
    with measured.reading_writing(IoPlace.NETWORK):
        pass
    assert measured.io_s == 3.0
    assert measured.wall_s == 6.0
