"""The code server: one process that has loaded the definitions, for the webserver and the daemon.

Without it the webserver would start one for itself, and the daemon a new one each minute, at five CPU seconds a start.

Dagster's `code-server start` passes requests on to a child, which has loaded the definitions; *Reload definitions* in the UI
replaces the child. Dagster does not replace a killed child, but `ensure_running()` does, at the same socket, to which the
clients return.
"""

import socket
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from earshot.storage.sockets import socket_folder
from resources.instance.processes import RestartedProcess, kill

LOCATION = "earshot"
MODULE = "ingest_assets.definitions"

# The child exits if its parent is silent for this long. Dagster's 30 s are too short for a busy machine.
HEARTBEAT_S = 600


class CodeServer(RestartedProcess):
    """The code server of one home, a child of this process."""

    def __init__(self, home: Path, logs: Path) -> None:
        self._socket = socket_folder(home) / "code.sock"
        self._workspace = home / "dagster" / "workspace.yaml"
        self._answered = 0  # the process id that has answered
        target = ["--module-name", MODULE, "--location-name", LOCATION, "--socket", str(self._socket)]
        limits = ["--heartbeat-ttl", str(HEARTBEAT_S), "--log-level", "warning"]
        super().__init__("code server", ["dagster", "code-server", "start", *target, *limits], logs)

    @property
    def running(self) -> bool:
        """Whether the process runs and, once it has answered, its child, too."""
        if not super().running:
            return False
        [pid] = self.pids
        if self._answered != pid and not self.answers:
            return True
        with suppress(psutil.NoSuchProcess):
            return any(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process(pid).children())
        return False

    @property
    def answers(self) -> bool:
        """Whether it has loaded the definitions and listens."""
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(self._socket))
            self._answered = next(iter(self.pids), 0)
            return True
        return False

    def stop(self) -> None:
        """Kill it: it has nothing to lose, and survives a SIGTERM."""
        kill(self.pids)

    def write_workspace(self) -> Path:
        """Write the workspace file that names this server, and return its path."""
        server = {"grpc_server": {"socket": str(self._socket), "location_name": LOCATION}}
        self._workspace.write_text(yaml.safe_dump({"load_from": [server]}))
        return self._workspace
