"""Sensor `failed_runs`: records in the catalogue why a run failed, unless a stage already has.

A stage records Earshot's own errors (ingest_assets/stages/stage.py). What remains are bugs, and dead processes that Dagster
detected: without this sensor their videos would stay `new` without an error.
"""

from dagster import DagsterEventType, DefaultSensorStatus, RunFailureSensorContext, run_failure_sensor

from earshot.storage.catalog.videos import record_crash
from earshot.storage.database import open_database
from earshot.storage.locks import PARTITION_TAG
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
    if not _is_recorded(context):
        record_crash(open_database(), video_id, message)


def _is_recorded(context: RunFailureSensorContext) -> bool:
    """Whether a step of this run failed with an error that its stage recorded."""
    failures = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in failures]
    return any(event is not None and event.step_failure_data.user_failure_data is not None for event in events)
