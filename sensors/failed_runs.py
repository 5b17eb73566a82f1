"""Sensor `failed_runs`: a run that failed without a stage saying why leaves its reason in the catalogue.

A stage that fails for a reason Earshot knows writes it itself (ingest_assets/stages/stage.py). What is left are bugs, and
processes that died and were found dead by Dagster's code server: without this, their videos would stand there as `new` and say
nothing.
"""

from dagster import DagsterEventType, DefaultSensorStatus, RunFailureSensorContext, run_failure_sensor

from earshot.storage.catalog.videos import record_crash
from earshot.storage.database import open_database
from earshot.storage.locks import PARTITION_TAG
from ingest_assets.operations.runs import CRASH_MESSAGE, LOCKED_FIRST_TAG


@run_failure_sensor(
    default_status=DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes down why a video's run failed, where the run could not say so itself.",
)
def failed_runs(context: RunFailureSensorContext) -> None:
    """Writes down why a run failed, where nobody has."""
    run = context.dagster_run
    video_id = run.tags.get(PARTITION_TAG)
    # `earshot ingest` writes down its own runs' failures; so does whoever found the process dead.
    message = context.failure_event.message or "The run failed without a message."
    if not video_id or LOCKED_FIRST_TAG in run.tags or CRASH_MESSAGE in message:
        return
    if not _explained(context):
        record_crash(open_database(), video_id, message)


def _explained(context: RunFailureSensorContext) -> bool:
    """Whether a step of this run failed with an error that its stage explained."""
    failures = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in failures]
    return any(event is not None and event.step_failure_data.user_failure_data is not None for event in events)
