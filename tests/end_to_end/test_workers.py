"""Warm workers: a real `earshot up` with one worker, whose run, broker, database and process are killed.

Of two short videos, the second shows that the models stayed loaded.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from dagster import DagsterRunStatus, DefaultRunLauncher, RunsFilter

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from earshot.common.errors import Misconfigured
from earshot.config.sources_file import source_named
from earshot.sources.listing import list_all
from earshot.sources.listings import video_of
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import register
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from ingest_assets.operations import workers
from ingest_assets.operations.workers import Worker
from ingest_assets.partitions import videos
from resources.instance.broker import EmbeddedBroker
from resources.instance.home import open_instance
from resources.instance.processes import MARK, left_over
from resources.instance.run_launcher import EarshotRunCoordinator, EarshotRunLauncher
from resources.instance.worker_slots import WorkerSlot, count_workers
from tests.support.earshot_up import (
    EARSHOT,
    backfill_status,
    cancel,
    ended,
    launch,
    launch_backfill,
    process_of,
    run_status,
    running_up,
    wait,
)
from tests.support.library import stored_video

AGAIN_S = 60.0  # limit for a killed worker's video to be at work again


@dataclass(frozen=True)
class Working:
    """A running `earshot up` with one worker, and the keys of its two videos."""

    url: str
    pid: int
    partitions: list[str]


@pytest.fixture(scope="module")
def working(library: Database, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    folder = tmp_path_factory.mktemp("worked")
    for name, start_s in (("one", 6.5), ("two", 9.5)):
        write_mp3(folder / f"{name}.mp3", clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, start_s, start_s + 7.0)))
    source = source_named(str(folder))
    listed = [video_of(entry, source) for entry in list_all(source).entries]
    register(library, listed)
    keys = [video.video_id for video in listed]
    open_instance().add_dynamic_partitions(str(videos.name), keys)
    with running_up(home, {"EARSHOT_WORKERS": "1"}) as up:
        yield Working(up.url, up.pid, keys)


@pytest.mark.slow
def test_models_load_for_the_first_video_only(working: Working, library: Database) -> None:
    backfill_id = launch_backfill(working.url, STAGES, working.partitions)
    wait(lambda: backfill_status(working.url, backfill_id) == "COMPLETED_SUCCESS", 600, "backfill still runs")
    timings = "SELECT asset, load_s FROM asset_timings WHERE video_id = ANY(%s) ORDER BY timing_id"
    rows = library.query(timings, [working.partitions])
    by_stage = {stage: [row["load_s"] for row in rows if row["asset"] == stage] for stage in STAGES}
    for stage in set(STAGES) - {"audio"}:
        first, second = by_stage[stage]
        assert first > 0.0, stage
        assert second == 0.0, stage


@pytest.mark.slow
def test_cancelled_run_leaves_models_loaded(working: Working, library: Database) -> None:
    before = stored_video(library, working.partitions[0]).state
    run_id = launch(working.url, working.partitions[0])
    process = _at_work(working, library, run_id)
    cancel(working.url, run_id)
    wait(lambda: run_status(working.url, run_id) == "CANCELED", 60, "the cancelled run still runs")
    assert stored_video(library, working.partitions[0]).state == before
    run_id = launch(working.url, working.partitions[1])
    assert wait(lambda: ended(working.url, run_id), 300, "nothing is done after a cancelled run") == "SUCCESS"
    assert process_of(run_id) == process
    _assert_nothing_leaked()
    loaded = library.query("SELECT asset FROM asset_timings WHERE run_id = %s AND load_s > 0", [run_id])
    assert loaded == []


@pytest.mark.slow
def test_video_of_killed_worker_restarts_within_a_minute(working: Working, library: Database) -> None:
    run_id = launch(working.url, working.partitions[0])
    process = _at_work(working, library, run_id)
    _parent_worker(process).kill()  # the parent that watches the process, then the process
    process.kill()
    killed = time.monotonic()
    again = RunsFilter(tags={"dagster/parent_run_id": run_id}, statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.SUCCESS])
    [second] = wait(lambda: open_instance().get_run_ids(again), 2 * AGAIN_S, "the killed worker's video was not restarted")
    assert time.monotonic() - killed < AGAIN_S
    assert run_status(working.url, run_id) == "FAILURE"
    assert wait(lambda: ended(working.url, second), 300, "the second try never ended") == "SUCCESS"
    for table, order in (("passages", "passage_index"), ("turns", "turn_index")):
        rows = library.frame(table, working.partitions[0], order)[order].tolist()
        assert rows == list(range(len(rows)))
        assert rows
    _assert_nothing_leaked()


@pytest.mark.slow
def test_killed_broker_is_restarted(working: Working, home: Path) -> None:
    broker = next(p for p in psutil.Process(working.pid).children() if "valkey" in p.name())
    broker.kill()
    wait(lambda: "The broker exited" in (home / "up.log").read_text(), 30, "it was not noticed")
    run_id = launch(working.url, working.partitions[1], "text_embeddings")
    assert wait(lambda: ended(working.url, run_id), 300, "nothing is done after the broker was killed") == "SUCCESS"


@pytest.mark.slow
def test_database_restart_leaves_video_complete(working: Working, library: Database, home: Path) -> None:
    run_id = launch(working.url, working.partitions[0])
    _at_work(working, library, run_id)
    stop_embedded(home)
    open_database()
    wait(lambda: _status(run_id) in ("SUCCESS", "FAILURE"), 180, "the run has no end")
    family = RunsFilter(tags={"dagster/root_run_id": run_id})
    wait(lambda: _status(run_id) == "SUCCESS" or any(run.is_success for run in open_instance().get_runs(family)), 300,
         "the video was not done again")  # fmt: skip
    assert stored_video(library, working.partitions[0]).state == "ready"
    _assert_nothing_leaked()
    wait(lambda: count_workers(library.url) == 1, 30, "the worker does not have its place again")


@pytest.mark.slow
def test_second_worker_joins_and_leaves(working: Working, library: Database, home: Path) -> None:
    environments = [process.environ() for process in psutil.Process(working.pid).children()]
    [broker] = {environment["EARSHOT_BROKER"] for environment in environments if "EARSHOT_BROKER" in environment}
    with (home / "worker.log").open("wb") as log:
        second = subprocess.Popen([EARSHOT, "worker"], stdout=log, stderr=log, env={**os.environ, "EARSHOT_BROKER": broker})
    try:
        wait(lambda: count_workers(library.url) == 2, 60, "the second worker has no place")
        backfill_id = launch_backfill(working.url, ["text_embeddings"], working.partitions)
        wait(lambda: backfill_status(working.url, backfill_id) == "COMPLETED_SUCCESS", 300, "backfill still runs")
        second.terminate()
        assert second.wait(timeout=60) == 0, (home / "worker.log").read_text()
    finally:
        second.kill()
    wait(lambda: count_workers(library.url) == 1, 10, "the worker that left still has a place")
    run_id = launch(working.url, working.partitions[1], "text_embeddings")
    assert wait(lambda: ended(working.url, run_id), 300, "nothing is done after a worker left") == "SUCCESS"


@pytest.fixture
def broker(library: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A broker of its own, whose URL is in the environment."""
    assert library
    opened = EmbeddedBroker(tmp_path)
    opened.start()
    monkeypatch.setenv("EARSHOT_BROKER", opened.url)
    yield opened.url
    opened.stop()


@pytest.mark.parametrize("reason", ["the code has changed", "it uses more than 0.001 GB of memory"])
@pytest.mark.usefixtures("broker")
def test_changed_or_grown_worker_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    worker = Worker("replaced", tmp_path / "worker.log")
    try:
        assert _check(worker) is None
        [first] = worker.pids
        wait(lambda: "ready." in (tmp_path / "worker.log").read_text(), 120, "the worker is not ready")
        assert _check(worker) is None
        if "code" in reason:
            monkeypatch.setattr(workers, "code_digest", lambda: "another")
        else:
            monkeypatch.setenv("EARSHOT_WORKER_MEMORY_GB", "0.001")
        assert reason in (_check(worker) or "")
        monkeypatch.setenv("EARSHOT_WORKER_MEMORY_GB", "8")
        wait(lambda: _check(worker) is None and worker.pids != [first], 60, "it was not replaced")
        assert not psutil.pid_exists(first)
    finally:
        worker.end()


@pytest.mark.usefixtures("broker")
def test_dead_worker_is_restarted(tmp_path: Path) -> None:
    worker = Worker("died", tmp_path / "worker.log")
    try:
        _check(worker)
        [first] = worker.pids
        os.kill(first, signal.SIGKILL)
        assert "(exit code -9)" in wait(lambda: _check(worker), 60, "it was not restarted")
    finally:
        worker.end()


def test_killed_broker_keeps_its_queue(tmp_path: Path) -> None:
    import redis

    broker = EmbeddedBroker(tmp_path)
    broker.start()
    client = redis.Redis(unix_socket_path=broker.url.removeprefix("redis+socket://"))
    client.lpush("dagster", "a run")
    [process] = [p for p in psutil.Process().children() if str(tmp_path) in " ".join(p.cmdline())]
    time.sleep(1.1)  # the broker writes to disk once a second
    process.kill()
    wait(lambda: not broker.answers, 10, "a killed broker still counts as answering")
    broker.start()
    try:
        assert client.lrange("dagster", 0, -1) == [b"a run"]
    finally:
        broker.stop()


def test_leftover_broker_is_found_by_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, str(tmp_path))
    first, second = EmbeddedBroker(tmp_path), EmbeddedBroker(tmp_path)
    first.start()
    try:
        [left] = [psutil.Process(pid) for pid in left_over(tmp_path)]
        assert "valkey" in left.name()
        with pytest.raises(Misconfigured, match="socket already in use"):
            second.start()
    finally:
        first.stop()


def test_worker_slots_are_counted_while_held(library: Database) -> None:
    before = count_workers(library.url)
    first, second = WorkerSlot(library.url), WorkerSlot(library.url)
    first.acquire()
    second.acquire()
    second.acquire()
    assert count_workers(library.url) == before + 2
    first.release()
    assert count_workers(library.url) == before + 1
    slot = "from resources.instance.worker_slots import WorkerSlot"
    holds = f"{slot}; import sys, time; slot = WorkerSlot(sys.argv[1]); slot.acquire(); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", holds, library.url])
    wait(lambda: count_workers(library.url) == before + 2, 30, "another process' place is not counted")
    holder.kill()
    wait(lambda: count_workers(library.url) == before + 1, 10, "a killed process' place is still counted")
    second.release()


def test_launcher_depends_on_the_broker(library: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_BROKER", "none")
    monkeypatch.setenv("EARSHOT_WORKERS", "3")
    instance = open_instance()
    assert isinstance(instance.run_launcher, DefaultRunLauncher)
    assert isinstance(instance.run_coordinator, EarshotRunCoordinator)
    assert instance.run_coordinator.get_run_queue_config().max_concurrent_runs == 3
    monkeypatch.setenv("EARSHOT_BROKER", "redis://localhost:1/0")
    with_broker = open_instance()
    assert isinstance(with_broker.run_launcher, EarshotRunLauncher)
    assert isinstance(with_broker.run_coordinator, EarshotRunCoordinator)
    assert with_broker.run_coordinator.get_run_queue_config().max_concurrent_runs == count_workers(library.url)


@pytest.mark.usefixtures("library")
def test_worker_without_broker_names_the_variable() -> None:
    ended = subprocess.run([EARSHOT, "worker"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "EARSHOT_BROKER is not set." in ended.stderr


def _at_work(working: Working, library: Database, run_id: str) -> psutil.Process:
    """The process of a run, once it is in its third stage or so."""
    wait(lambda: run_status(working.url, run_id) == "STARTED", 120, "the run never started")
    wait(lambda: library.query("SELECT 1 FROM asset_timings WHERE run_id = %s", [run_id]), 120, "no stage was ever done")
    process = process_of(run_id)
    assert process is not None
    return process


def _parent_worker(process: psutil.Process) -> psutil.Process:
    parent = process.parent()
    assert parent is not None
    assert "celery" in " ".join(parent.cmdline())
    return parent


def _check(worker: Worker) -> str | None:
    """The message of a check now, however short after the last."""
    worker._checked = -float("inf")
    return worker.ensure_running()


def _status(run_id: str) -> str:
    run = open_instance().get_run_by_id(run_id)
    return run.status.value if run else ""


def _assert_nothing_leaked() -> None:
    """No run that has ended has a slot. A run at work may: asset `people` follows videos by itself."""
    instance = open_instance()
    claimed = {slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots}
    assert [run_id for run_id in claimed if (run := instance.get_run_by_id(run_id)) is None or run.is_finished] == []
