"""Sensor `dead_runs`: fails runs whose worker was killed, frees their pool slots and records the crash.

Does not retry the video; Dagster's run retries (dagster.yaml) or the user do. ingest_assets/operations/runs.py tells a dead run
from a slow one.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from earshot.storage.database import open_database
from ingest_assets.operations.runs import end_dead_runs


@sensor(
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Fails runs whose process was killed and frees their slots, so that the queue goes on.",
)
def dead_runs(context: SensorEvaluationContext) -> SkipReason:
    """Fails runs whose process has died."""
    ended = end_dead_runs(context.instance, open_database())
    return SkipReason(f"Ended {len(ended)} dead runs: {', '.join(ended)}" if ended else "Every started run is alive.")
