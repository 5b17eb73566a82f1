"""Workers and their broker, without `earshot up`: which are replaced, restarted, counted and found again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dagster import DefaultRunLauncher

from earshot.common.errors import Misconfigured
from earshot.storage.database import Database
from ingest_assets.operations import workers
from ingest_assets.operations.workers import Worker
from resources.instance.broker import EmbeddedBroker
from resources.instance.home import open_instance
from resources.instance.processes import MARK, left_over
from resources.instance.run_launcher import EarshotRunCoordinator, EarshotRunLauncher
from resources.instance.worker_slots import WorkerSlot, count_workers
from tests.support.earshot_up import EARSHOT, wait


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


def _check(worker: Worker) -> str | None:
    """The message of a check now, however short after the last."""
    worker._checked = -float("inf")
    return worker.ensure_running()
