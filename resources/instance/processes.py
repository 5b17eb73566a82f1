"""The processes that `earshot up` starts: with a log, restarted and stopped; and those that a killed `up` left running.

Does not decide which processes run, or when (earshot/cli/operation/service.py).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from earshot.config.settings_file import project_folder

TERMINATION_S = 8.0  # before a process that was asked to exit is killed
RESTART_S = 5.0  # at least, between two starts of a dying process

# In the environment of every process that `up` starts: its EARSHOT_HOME.
MARK = "EARSHOT_UP_HOME"


def start(name: str, command: Sequence[str], logs: Path) -> subprocess.Popen[bytes]:
    """Start a program of this environment, in the project folder, in its own session so that Ctrl-C reaches only this
    process.

    Its output is appended to its log.
    """
    program, *arguments = command
    with log_of(logs, name).open("ab") as log:
        log.write(f"--- earshot up, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        log.flush()
        return subprocess.Popen(
            [str(Path(sys.executable).parent / program), *arguments],
            stdout=log,
            stderr=log,
            cwd=project_folder(),
            start_new_session=True,
        )


class RestartedProcess:
    """A child process that `ensure_running()` starts, and starts again if it exits."""

    def __init__(self, name: str, command: Sequence[str], logs: Path) -> None:
        """`name` is what messages call it, and the name of its log."""
        self.name, self._command, self._logs = name, command, logs
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -float("inf")

    def ensure_running(self) -> str | None:
        """Start or restart the process if necessary; returns a message for the log, if any."""
        if self.running or time.monotonic() - self._started < RESTART_S:
            return None
        died = self._process is not None
        kill(self.pids)
        self._started = time.monotonic()
        self._process = start(self.name, self._command, self._logs)
        return f"The {self.name} exited; restarting it." if died else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pids(self) -> list[int]:
        return [] if self._process is None else [self._process.pid]


def stop(pids: Iterable[int]) -> None:
    """Terminate processes and their descendants, then kill any that remain."""
    family = _family(pids)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _gone, alive = psutil.wait_procs(family, timeout=TERMINATION_S)
    _kill(alive)


def kill(pids: Iterable[int]) -> None:
    """Kill processes and their descendants."""
    _kill(_family(pids))


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    family: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            family += [parent, *parent.children(recursive=True)]
    return family


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=TERMINATION_S)


def left_over(home: Path) -> list[int]:
    """The processes that a killed `up` left running, except Postgres, which outlives `up` on purpose."""
    pids = []
    for process in psutil.process_iter(["name", "environ"]):
        environment = process.info["environ"] or {}  # None for other users' processes
        if environment.get(MARK) == str(home) and process.info["name"] != "postgres" and process.pid != os.getpid():
            pids.append(process.pid)
    return pids


def log_of(logs: Path, name: str) -> Path:
    """The log of a process: `code-server.log`."""
    return logs / f"{name.replace(' ', '-')}.log"


def log_tail(logs: Path, name: str, lines: int = 15) -> str:
    """The last lines of a process's log."""
    return "\n".join(log_of(logs, name).read_text(errors="replace").splitlines()[-lines:])
