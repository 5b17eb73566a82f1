"""Sensor `retries`: runs videos again when their retry is due.

earshot/common/backoff.py sets that time when a video fails: after the start of a broadcast, after the pause for a site that
blocks us, or after a growing back-off for network errors. Permanent failures are not retried.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.common.redaction import without_secrets
from earshot.storage.catalog.run_requests import RETRIES, next_requests, request_retries
from earshot.storage.catalog.watched_sources import paused_sources
from earshot.storage.database import open_database
from ingest_assets.jobs import ingest_video, run_request
from ingest_assets.partitions import videos


@sensor(
    name=RETRIES,
    job=ingest_video,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Runs the videos again whose retry is due.",
)
def retries(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Requests a run for each video that is due."""
    database = open_database()
    request_retries(database, paused_sources())
    requests, cursor = next_requests(database, RETRIES, context.cursor)
    if not requests:
        return SkipReason("No retries are due.")
    return SensorResult(
        run_requests=[run_request(due, without_secrets(due.source), due.priority) for due in requests],
        dynamic_partitions_requests=[videos.build_add_request([due.video_id for due in requests])],
        cursor=cursor,
    )
