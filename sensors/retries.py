"""Sensor `retries`: videos whose next try is due are run again.

When that is was decided when they failed (earshot/common/backoff.py): a broadcast after its start, a site that had enough of us
after its pause, a network that failed after pauses that grow. What failed for good has no next try.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.common.redaction import without_secrets
from earshot.storage.catalog.run_requests import next_requests, request_retries
from earshot.storage.database import open_database
from ingest_assets.jobs import ingest_video, run_request
from ingest_assets.partitions import videos

RETRIES = "retries"


@sensor(
    name=RETRIES,
    job=ingest_video,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Runs again the videos whose next try is due.",
)
def retries(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Asks for the runs of what is due again."""
    database = open_database()
    request_retries(database, RETRIES)
    requests, cursor = next_requests(database, RETRIES, context.cursor)
    if not requests:
        return SkipReason("Nothing is due again.")
    return SensorResult(
        run_requests=[run_request(one, without_secrets(one.source), one.priority) for one in requests],
        dynamic_partitions_requests=[videos.build_add_request([one.video_id for one in requests])],
        cursor=cursor,
    )
