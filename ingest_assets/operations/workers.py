"""Workers: each a process that does whole videos, one after another, with its models loaded once.

A worker is a Celery worker of one process (ingest_assets/worker_app.py), looked after by `earshot up` or `earshot
worker`: `ensure_running()` is called again and again, and starts it anew where it died, where the code is another one than it
was started with, and where it has grown beyond `EARSHOT_WORKER_MEMORY_GB`; the last two once its video is done, for which it is
asked to end and takes no other. As long as it is looked after it holds a place in the workforce, by which the queue knows how
many runs it may start.

What a run does, and how a killed worker's run is ended, is not decided here (ingest_assets/operations/runs.py).
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
from earshot.storage.server import server_urls
from resources.instance.broker import QUEUE
from resources.instance.worker_slots import WorkerSlot

PACKAGES = ("earshot", "ingest_assets", "resources", "sensors")
CHECK_S = 2.0  # between two looks at the code and at the memory
# Celery forgets a SIGTERM that comes while it starts: it is sent until the worker has ended. A second one changes nothing.
ASK_AGAIN_S = 2.0
RESTART_S = 5.0  # before a worker that died is started again


class Worker:
    """One worker on this machine."""

    def __init__(self, name: str, log: Path | None) -> None:
        """`log` is the file that it writes to; None: where this process writes to."""
        self.name = name
        self._log = log
        self._place = WorkerSlot(server_urls(read_settings()).earshot)
        self._process: subprocess.Popen[bytes] | None = None
        self._code = ""
        self._started = self._looked = -float("inf")
        self._ending = False

    def ensure_running(self) -> str | None:
        """See to it that it works; returns what was done about it, for a log, or None."""
        if time.monotonic() - self._looked < CHECK_S:
            return None
        self._looked = time.monotonic()
        with suppress(psycopg.OperationalError):  # no database: nothing can be started now, and the place is taken later
            self._place.acquire()
        if self._process is None or self._process.poll() is not None:
            return self._start()
        if self._ending:
            self._process.send_signal(signal.SIGTERM)
            return None
        if reason := self._reason_to_end():
            self._ending = True
            self._process.send_signal(signal.SIGTERM)
            return f"Worker {self.name} is replaced once its video is done: {reason}."
        return None

    @property
    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None else []

    def end(self) -> None:
        """Ask it to end once its video is done, and wait for that; its place is given back at once."""
        self._place.release()
        while self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ASK_AGAIN_S)

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
                command, stdout=log if self._log else None, stderr=log if self._log else None, cwd=PROJECT_ROOT,
                start_new_session=True,
            )  # fmt: skip
        return f"Worker {self.name} died{code} and is started again." if died else None

    def _reason_to_end(self) -> str | None:
        if self._code != code_digest():
            return "the code has changed"
        limit_gb = read_settings().worker_memory_gb
        if any(used > limit_gb * 1e9 for used in _memory(self.pids)):
            return f"it has more than {limit_gb:g} GB of memory"
        return None


def code_digest() -> str:
    """What tells one state of the code from another: names, sizes and times of its files."""
    files = sorted(file for package in PACKAGES for file in (PROJECT_ROOT / package).rglob("*.py"))
    return "\n".join(f"{file} {stat.st_mtime_ns} {stat.st_size}" for file in files for stat in [file.stat()])


def _memory(pids: Iterable[int]) -> list[int]:
    """The bytes that each child of these processes has."""
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found += [child.memory_info().rss for child in psutil.Process(pid).children()]
    return found
