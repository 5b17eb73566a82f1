"""Workers: processes that each run whole videos, one after another, with models loaded once.

A worker is a Celery worker with one child process (ingest_assets/worker_app.py), supervised by `earshot up` or `earshot
worker`, which keep calling `ensure_running()`. That restarts a dead worker, and replaces one after its current video if the
code has changed or it uses more memory than `EARSHOT_WORKER_MEMORY_GB`. A supervised worker holds a worker slot; the queue
starts as many runs as there are slots.

Does not decide what a run does or how a killed worker's run ends (ingest_assets/operations/runs.py).
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.config.settings_file import project_folder
from earshot.storage.server import server_urls
from resources.instance.broker import QUEUE
from resources.instance.worker_slots import WorkerSlot

PACKAGES = ("earshot", "ingest_assets", "resources", "sensors")
CHECK_S = 2.0  # between two checks of code and memory
# Celery loses a SIGTERM that arrives while it starts, so it is repeated until the worker exits. Further ones have no effect.
SIGTERM_INTERVAL_S = 2.0
RESTART_S = 5.0  # at least, between two starts of a dying worker


class Worker:
    """One worker on this machine."""

    def __init__(self, name: str, log: Path | None) -> None:
        """`log` is the file for its output; None means this process's own output."""
        self.name = name
        self._log = log
        self._slot = WorkerSlot(server_urls(read_settings()).earshot)
        self._process: subprocess.Popen[bytes] | None = None
        self._code = ""
        self._started = self._checked = -float("inf")
        self._ending = False

    def ensure_running(self) -> str | None:
        """Start or replace the worker if necessary; returns a message for the log, if any.

        Raises DatabaseUnusable if the database is gone, without which no run starts.
        """
        if time.monotonic() - self._checked < CHECK_S:
            return None
        self._checked = time.monotonic()
        with suppress(psycopg.OperationalError):  # the connection broke just now; retried at the next check
            self._slot.acquire()
        if self._process is None or self._process.poll() is not None:
            return self._start()
        if self._ending:
            self._process.send_signal(signal.SIGTERM)
            return None
        if reason := self._reason_to_end():
            self._ending = True
            self._process.send_signal(signal.SIGTERM)
            return f"Worker {self.name} will be replaced once its video is done: {reason}."
        return None

    @property
    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None else []

    def end(self) -> None:
        """Release the slot, let the worker finish its video, and wait until it exits."""
        self._slot.release()
        while self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(SIGTERM_INTERVAL_S)

    def _start(self) -> str | None:
        if not self._ending and time.monotonic() - self._started < RESTART_S:
            return None
        died = self._process is not None and not self._ending
        code = f" (exit code {self._process.returncode})" if self._process is not None else ""
        command = [sys.executable, "-m", "celery", "--app", "ingest_assets.worker_app", "worker", "--pool=prefork"]
        command += ["--concurrency=1", f"--hostname={self.name}@{socket.gethostname()}", f"--queues={QUEUE}", "--loglevel=INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._code, self._started, self._ending = code_digest(), time.monotonic(), False
        with open(self._log or os.devnull, "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log if self._log else None, stderr=log if self._log else None, cwd=project_folder(),
                start_new_session=True,
            )  # fmt: skip
        return f"Worker {self.name} died{code} and is started again." if died else None

    def _reason_to_end(self) -> str | None:
        if self._code != code_digest():
            return "the code has changed"
        limit_gb = read_settings().worker_memory_gb
        if any(used > limit_gb * 1e9 for used in _memory(self.pids)):
            return f"it uses more than {limit_gb:g} GB of memory"
        return None


def code_digest() -> str:
    """A text that changes with the code: the names, sizes and modification times of its files."""
    files = sorted(file for package in PACKAGES for file in (PROJECT_ROOT / package).rglob("*.py"))
    return "\n".join(f"{file} {stat.st_mtime_ns} {stat.st_size}" for file in files for stat in [file.stat()])


def _memory(pids: Iterable[int]) -> list[int]:
    """Resident memory in bytes of each child of these processes."""
    sizes = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            sizes += [child.memory_info().rss for child in psutil.Process(pid).children()]
    return sizes
