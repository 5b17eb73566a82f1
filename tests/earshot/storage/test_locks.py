"""Locks exclude other processes, not their own, and end with it: real processes on a real Postgres."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from earshot.config.settings import PROJECT_ROOT
from earshot.storage.database import Database
from earshot.storage.locks import acquire, is_held_elsewhere, lock, release, try_acquire

HOLD = """
import sys
from earshot.storage.locks import acquire
acquire(sys.argv[1], sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""
TRY = """
import sys
from earshot.storage.locks import is_held_elsewhere, try_acquire
url, name = sys.argv[1:]
print(is_held_elsewhere(url, name), try_acquire(url, name))
"""


def python(program: str, database: Database, name: str) -> list[str]:
    return [sys.executable, "-c", program, database.url, name]


@contextmanager
def held_by_another(database: Database, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen(python(HOLD, database, name), stdin=pipe, stdout=pipe, text=True, cwd=PROJECT_ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def free_for_another(database: Database, name: str) -> bool:
    """Whether another process finds the lock free and can take it."""
    result = subprocess.run(python(TRY, database, name), capture_output=True, text=True, cwd=PROJECT_ROOT, check=True)
    return {"False True": True, "True False": False}[result.stdout.strip()]


def test_lock_of_another_process_cannot_be_acquired(database: Database) -> None:
    with held_by_another(database, "video a"):
        assert is_held_elsewhere(database.url, "video a")
        assert not try_acquire(database.url, "video a")
        assert not is_held_elsewhere(database.url, "video b")


def test_lock_excludes_other_processes_until_released(database: Database) -> None:
    with lock(database.url, "video a"):
        assert not free_for_another(database, "video a")
    assert free_for_another(database, "video a")


def test_lock_is_released_after_an_error(database: Database) -> None:
    with pytest.raises(RuntimeError, match="at work"), lock(database.url, "video a"):
        raise RuntimeError("at work")
    assert free_for_another(database, "video a")


def test_lock_is_reentrant(database: Database) -> None:
    with lock(database.url, "video a"):
        with lock(database.url, "video a"):
            assert try_acquire(database.url, "video a")
            assert not is_held_elsewhere(database.url, "video a")
        assert not free_for_another(database, "video a")
    assert free_for_another(database, "video a")


def test_checking_a_lock_does_not_change_it(database: Database) -> None:
    assert not is_held_elsewhere(database.url, "video a")
    assert free_for_another(database, "video a")
    acquire(database.url, "video a")
    assert not is_held_elsewhere(database.url, "video a")
    assert not free_for_another(database, "video a")
    release(database.url, "video a")


def test_killed_process_releases_its_lock(database: Database) -> None:
    with held_by_another(database, "run 1") as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        acquire(database.url, "run 1")
    release(database.url, "run 1")


def test_releasing_another_processes_lock_does_nothing(database: Database) -> None:
    with held_by_another(database, "video a"):
        release(database.url, "video a")
        assert is_held_elsewhere(database.url, "video a")
