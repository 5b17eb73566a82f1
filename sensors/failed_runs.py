"""Sensor `failed_runs`: records in the catalogue why a run failed, unless a stage already has.

A stage records Earshot's own errors (ingest_assets/stages/stage.py). What remains are bugs, and dead processes that Dagster
detected: without this sensor their videos would stay `new` without an error.
"""

from dagster import DagsterEvent, DagsterEventType, DefaultSensorStatus, RunFailureSensorContext, run_failure_sensor

from earshot.storage.catalog.videos import record_crash
from earshot.storage.database import open_database
from earshot.storage.locks import PARTITION_TAG
from ingest_assets.operations.run_failures import failure_in
from ingest_assets.operations.runs import CRASH_MESSAGE, LOCKED_FIRST_TAG


@run_failure_sensor(
    default_status=DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Records why a video's run failed, if the run could not do so itself.",
)
def failed_runs(context: RunFailureSensorContext) -> None:
    """Records why a run failed, unless that is recorded already."""
    run = context.dagster_run
    video_id = run.tags.get(PARTITION_TAG)
    # `earshot ingest` records its own runs' failures, and `end_dead_runs()` those of dead processes.
    message = context.failure_event.message or "The run failed without a message."
    if not video_id or LOCKED_FIRST_TAG in run.tags or CRASH_MESSAGE in message:
        return
    failures = _step_failures(context)
    if not any(failure.step_failure_data.user_failure_data for failure in failures):  # else its stage recorded it
        record_crash(open_database(), video_id, failure_in(failures[0]).message if failures else message)


def _step_failures(context: RunFailureSensorContext) -> list[DagsterEvent]:
    failures = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    return [event for record in failures if (event := record.event_log_entry.dagster_event) is not None]
