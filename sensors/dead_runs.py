"""Sensor `dead_runs`: a run whose worker was killed is failed, its pool slot given back, the crash written down.

What to do with the video then is the run retry's business (dagster.yaml), or the user's. How a dead run is told from a slow
one says ingest_assets/operations/runs.py.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from earshot.storage.database import open_database
from ingest_assets.operations.runs import end_dead_runs


@sensor(
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Fails runs whose process was killed and frees their places, so that the queue goes on.",
)
def dead_runs(context: SensorEvaluationContext) -> SkipReason:
    """Fails runs whose process is gone."""
    ended = end_dead_runs(context.instance, open_database())
    return SkipReason(f"Ended {len(ended)} dead runs: {', '.join(ended)}" if ended else "Every started run is alive.")
