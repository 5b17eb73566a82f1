"""How Dagster starts runs, and how many at once: dagster.yaml names both classes.

With a broker in `EARSHOT_BROKER` runs go to the workers, as many at once as there are workers
(resources/instance/worker_slots.py), so that a run waits in Dagster's queue, where priorities count, and not in the broker's.
Without one each run is a process of its own, as many at once as `EARSHOT_WORKERS` says: models are loaded anew for every video.

Dagster's own classes for both are used as they are but for what follows from the runs' locks: who is dead is told by
ingest_assets/operations/runs.py, for both ways of starting, so that these need not ask the broker.
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

DEQUEUE_S = 0.5  # between two looks at the queue; no less of it makes Dagster's daemon look more often


class EarshotRunLauncher(CeleryRunLauncher):
    """dagster-celery's, which knows its broker from Earshot's settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - the class takes no configuration
    ) -> RunLauncher:
        """This, or Dagster's own where there is no broker."""
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
        """As dagster-celery, which names its task to Celery for each run, and of which Celery warns each time."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DuplicateTaskNameWarning)
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run where it is at work; one that no worker has begun is over at once."""
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
    """Dagster's queue of runs, of which as many are started at once as there are workers."""

    @property
    def dequeue_interval_seconds(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Dagster's daemon takes any number, its configuration whole ones."""
        return DEQUEUE_S

    def get_run_queue_config(self) -> RunQueueConfig:
        settings = read_settings()
        at_once = settings.workers if settings.broker_url is None else count_workers(server_urls(settings).earshot)
        # A run whose stage must wait for pool `gpu` is started all the same: it is ready once the slot is free. Dagster would
        # count one that has just begun twice, as at work and as waiting, and start the next only after it.
        return (
            super().get_run_queue_config()._replace(max_concurrent_runs=at_once, should_block_op_concurrency_limited_runs=False)
        )
