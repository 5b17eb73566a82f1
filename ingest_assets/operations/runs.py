"""Runs: tells whether a job has an active run, and ends runs whose process has died.

After SIGKILL, a process's Dagster run stays STARTED or STARTING and keeps its slot in pool `gpu`, so that the whole queue
waits. Each run holds a Postgres lock, taken by DatabaseResource at the latest, which is freed when the process dies.
`end_dead_runs()` fails runs whose lock is free, frees their slots and records the crash in the catalogue. `earshot ingest`
calls it when it starts, and the sensor `dead_runs` every ten seconds.
"""

import time

from dagster import AssetMaterialization, DagsterEventType, DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from earshot.storage.catalog.videos import record_crash
from earshot.storage.database import Database
from earshot.storage.locks import PARTITION_TAG, is_held_elsewhere, run_lock, wait_for_holders
from earshot.timings.timing import Timing
from ingest_assets.presentation.metadata import metadata

ACTIVE = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]

# `earshot ingest` takes the lock before it creates the run, so that no grace period is needed.
LOCKED_FIRST_TAG = "earshot/locked_first"
# Time for a run without a lock to start its process (STARTING), and to import its code before it takes the lock (STARTED).
GRACE_S = {DagsterRunStatus.STARTING: 120.0, DagsterRunStatus.STARTED: 60.0}
# A worker takes the lock before it reports the run as started; if no worker has taken a run after 45 s, none will.
GRACE_OF_WORKERS_S = {DagsterRunStatus.STARTING: 45.0, DagsterRunStatus.STARTED: 0.0}
CRASH_MESSAGE = "The process working on this video ended without a word (killed, or out of memory)."


def has_active_run(instance: DagsterInstance, job_name: str) -> bool:
    """Whether a run of the job is queued or running."""
    return instance.get_runs_count(RunsFilter(job_name=job_name, statuses=ACTIVE)) > 0


def end_dead_runs(instance: DagsterInstance, database: Database) -> list[str]:
    """Fail the runs whose process has died; returns their ids."""
    started = instance.get_run_records(RunsFilter(statuses=list(GRACE_S)))
    if any(_is_dead(record, database) for record in started):
        wait_for_holders(database.url)
    suspected = [record.dagster_run.run_id for record in started if _is_dead(record, database)]
    # A run reports its end before it releases its lock: a run whose lock is free and that still has not ended is dead.
    dead = instance.get_run_records(RunsFilter(run_ids=suspected, statuses=list(GRACE_S))) if suspected else []
    for record in dead:
        run = record.dagster_run
        instance.report_run_failed(run, message=CRASH_MESSAGE)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        video_id = run.tags.get(PARTITION_TAG)
        if video_id:
            _report_finished_stages(instance, database, run.run_id, video_id)
            record_crash(database, video_id, CRASH_MESSAGE)
    return [record.dagster_run.run_id for record in dead]


def _report_finished_stages(instance: DagsterInstance, database: Database, run_id: str, video_id: str) -> None:
    """Report to Dagster the stages that the process finished (with rows and timing) but died before reporting."""
    finished = database.query("SELECT * FROM asset_timings WHERE run_id = %s", [run_id])
    reported = {
        event.asset_key.to_user_string()
        for entry in instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        if (event := entry.dagster_event) is not None and event.asset_key is not None
    }
    for row in finished:
        if row["asset"] not in reported:
            figures = Timing.of_row(row)
            instance.report_runless_asset_event(
                AssetMaterialization(row["asset"], partition=video_id, metadata=metadata(figures, {}))
            )


def _is_dead(record: RunRecord, database: Database) -> bool:
    run = record.dagster_run
    since = record.start_time or record.update_timestamp.timestamp()
    grace_s = GRACE_OF_WORKERS_S if DAGSTER_CELERY_TASK_ID_TAG in run.tags else GRACE_S
    age_s = abs(time.time() - since)  # negative after the clock was set back
    if LOCKED_FIRST_TAG not in run.tags and age_s < grace_s[run.status]:
        return False
    return not is_held_elsewhere(database.url, run_lock(run.run_id))
