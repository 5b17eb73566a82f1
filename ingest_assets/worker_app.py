"""The worker's Celery application: dagster-celery's, with the broker of `EARSHOT_BROKER`.

ingest_assets/operations/workers.py starts `celery --app ingest_assets.worker_app worker`. Its one child process executes whole
runs, one after another, and outlives them, so that models are loaded once (earshot/models/cache.py). The child imports the
definitions before it takes a run, and takes the run's lock before it starts it, so that a started run without a lock is dead.
It is forked before torch is imported. After each run it frees what the run left in cycles, such as Dagster's instance with its
pools of connections, which would otherwise pile up.
"""

import gc
import signal
from contextlib import ExitStack
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_init
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task

from earshot.config.settings import read_settings
from earshot.storage.locks import lock, run_lock
from earshot.storage.server import server_urls
from resources.instance.broker import CELERY
from resources.instance.dagster_internals import ExecuteRunArgs, unpack_value

_locks = ExitStack()


def _app() -> Celery:
    broker = read_settings().broker_url
    return make_app(app_args={"broker": broker, "backend": "disabled://", "config_source": CELERY})


app = _app()
execute_job = create_execute_job_task(app)


@worker_process_init.connect
def _import_definitions(**_: Any) -> None:
    import ingest_assets.definitions  # noqa: F401

    gc.freeze()  # 200,000 objects that stay: a collection takes milliseconds instead of 0.2 s


@task_prerun.connect
def _hold_run(kwargs: dict[str, Any], **_: Any) -> None:
    run = unpack_value(kwargs["execute_job_args_packed"], as_type=ExecuteRunArgs)
    _locks.enter_context(lock(server_urls(read_settings()).earshot, run_lock(run.run_id)))


@task_postrun.connect
def _release_run(**_: Any) -> None:
    _locks.close()
    gc.collect()
    # Dagster handles SIGTERM during a run and leaves it ignored afterwards, but SIGTERM must end an idle worker.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
