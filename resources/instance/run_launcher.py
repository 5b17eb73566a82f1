"""How Dagster starts runs, and how many at once; dagster.yaml names both classes.

With a broker (`EARSHOT_BROKER`), runs go to the workers, as many at once as there are workers
(resources/instance/worker_slots.py), so that other runs wait in Dagster's queue, which respects priorities, and not in the
broker's. Without one, each run is its own process, at most `EARSHOT_WORKERS` at once, and loads its models itself.

The workers' health checks, which would ask the broker, are off: ingest_assets/operations/runs.py detects dead runs by their
locks, however they were started.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from celery.exceptions import DuplicateTaskNameWarning
from dagster import DagsterRunStatus
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext, RunLauncher
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator, RunQueueConfig
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from earshot.config.settings import read_settings
from earshot.storage.locks import is_held_elsewhere, run_lock
from earshot.storage.server import server_urls
from resources.instance.broker import CELERY, QUEUE
from resources.instance.worker_slots import count_workers

DEQUEUE_S = 0.5  # between two polls of the queue; the daemon's loop sleeps 0.5 s at a time, so less has no effect


class EarshotRunLauncher(CeleryRunLauncher):
    """dagster-celery's launcher, with the broker of Earshot's settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - the class takes no configuration
    ) -> RunLauncher:
        """This launcher, or Dagster's default one without a broker."""
        broker = read_settings().broker_url
        if broker is None:
            return DefaultRunLauncher(inst_data=inst_data)
        return cls(default_queue=QUEUE, broker=broker, backend="disabled://", config_source=CELERY, inst_data=inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return False

    @property
    def supports_resume_run(self) -> bool:
        return False

    def launch_run(self, context: LaunchRunContext) -> None:
        """As dagster-celery, without Celery's warning that the task is registered again for each run."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DuplicateTaskNameWarning)
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run in its worker; a run that no worker has begun is canceled at once."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        self.celery.control.revoke(run.tags[DAGSTER_CELERY_TASK_ID_TAG], terminate=True, signal="SIGTERM")
        begun = is_held_elsewhere(server_urls(read_settings()).earshot, run_lock(run_id))
        if run.status != DagsterRunStatus.STARTED and not begun:
            self._instance.report_run_canceled(run)
        return True


class EarshotRunCoordinator(QueuedRunCoordinator):
    """Dagster's run queue, limited to as many runs at once as there are workers."""

    @property
    def dequeue_interval_seconds(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Overridden because Dagster's configuration accepts only whole seconds."""
        return DEQUEUE_S

    def get_run_queue_config(self) -> RunQueueConfig:
        settings = read_settings()
        limit = settings.workers if settings.broker_url is None else count_workers(server_urls(settings).earshot)
        # Start a run even if its stage must wait for pool `gpu`: it is ready once the slot is free. Otherwise Dagster would
        # count a run that has just begun twice, as running and as waiting, and start the next only after it.
        return (
            super().get_run_queue_config()._replace(max_concurrent_runs=limit, should_block_op_concurrency_limited_runs=False)
        )
