"""The processes that `earshot up` starts: starting them with a log, stopping them, and finding those of a killed `up`.

Does not decide which processes run, or when (earshot/cli/operation/service.py).
"""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from earshot.common.errors import Misconfigured
from earshot.config.settings import PROJECT_ROOT

TERMINATION_S = 8.0  # before a process that was asked to exit is killed

# In the environment of every process that `up` starts: its EARSHOT_HOME.
MARK = "EARSHOT_UP_HOME"


def start(name: str, command: Sequence[str], logs: Path) -> subprocess.Popen[bytes]:
    """Start a program of this environment, in its own session so that Ctrl-C reaches only this process.

    Its output is appended to `logs`/`name`.log.
    """
    program, *arguments = command
    with (logs / f"{name}.log").open("ab") as log:
        log.write(f"--- earshot up, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
        log.flush()
        return subprocess.Popen(
            [str(Path(sys.executable).parent / program), *arguments],
            stdout=log,
            stderr=log,
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )


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


def refuse_taken(host: str, port: int, option: str) -> None:
    """Raise Misconfigured if this address cannot be listened on; `option` is the option that chooses the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"Cannot listen on {host}:{port} ({error.strerror}).", f"Choose another port: earshot up {option} {port + 10}"
            ) from error


def log_tail(logs: Path, name: str, lines: int = 15) -> str:
    """The last lines of a process's log."""
    return "\n".join((logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])


def socket_folder(home: Path) -> Path:
    """A private folder for the sockets of a home's servers. Not in the home: a socket's path is limited to 107 bytes."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"earshot-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Misconfigured(f"{folder} belongs to another user.", "Set TMPDIR to a folder of your own.")
    return folder
