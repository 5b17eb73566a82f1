"""The code server: one process that has loaded the definitions, for the webserver and the daemon.

Without it the webserver would start one for itself, and the daemon a new one each minute, at five CPU seconds a start.

Dagster's `code-server start` passes requests on to a child, which has loaded the definitions; *Reload definitions* in the UI
replaces the child. Dagster does not replace a killed child, but `ensure_running()` does, at the same socket, to which the
clients return.
"""

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from resources.instance.processes import kill, socket_folder, start

LOCATION = "earshot"
MODULE = "ingest_assets.definitions"

# The child exits if its parent is silent for this long. Dagster's 30 s are too short for a busy machine.
HEARTBEAT_S = 600
RESTART_S = 5.0  # at least, between two starts of a dying server


class CodeServer:
    """The code server of one home, a child of this process."""

    def __init__(self, home: Path, logs: Path) -> None:
        self._socket = socket_folder(home) / "code.sock"
        self._workspace = home / "dagster" / "workspace.yaml"
        self._logs = logs
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -float("inf")
        self._answered = False  # since it was started

    def ensure_running(self) -> str | None:
        """Start or replace the server if necessary; returns a message for the log, if any."""
        if self.running or time.monotonic() - self._started < RESTART_S:
            return None
        died = self._process is not None
        self.stop()
        self._started, self._answered = time.monotonic(), False
        target = ["--module-name", MODULE, "--location-name", LOCATION, "--socket", str(self._socket)]
        limits = ["--heartbeat-ttl", str(HEARTBEAT_S), "--log-level", "warning"]
        self._process = start("code-server", ["dagster", "code-server", "start", *target, *limits], self._logs)
        return "The code server exited; restarting it." if died else None

    @property
    def running(self) -> bool:
        """Whether the process runs and, once it has answered, its child, too."""
        if self._process is None or self._process.poll() is not None:
            return False
        if not self._answered and not self.answers:
            return True
        with suppress(psutil.NoSuchProcess):
            return any(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process(self._process.pid).children())
        return False

    @property
    def answers(self) -> bool:
        """Whether it has loaded the definitions and listens."""
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(self._socket))
            self._answered = True
            return True
        return False

    def stop(self) -> None:
        """Kill it: it has nothing to lose, and survives a SIGTERM."""
        if self._process is not None:
            kill([self._process.pid])

    def write_workspace(self) -> Path:
        """Write the workspace file that names this server, and return its path."""
        server = {"grpc_server": {"socket": str(self._socket), "location_name": LOCATION}}
        self._workspace.write_text(yaml.safe_dump({"load_from": [server]}))
        return self._workspace
