"""Sensor `corrected_words`: runs videos again whose words were corrected, so that search by meaning follows.

Only stage `text_embeddings` has work; the others are current. A run is requested once for each state of a video's corrections:
if it fails, `earshot backfill --stale` repeats it. Without this sensor only the vectors are old: texts are corrected at once.
"""

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.storage.catalog.run_requests import MAX_PER_TICK, RETRY_PRIORITY
from earshot.storage.database import Database, open_database
from ingest_assets.jobs import ingest_video
from ingest_assets.partitions import videos

CORRECTED_WORDS = "corrected_words"

# The run key holds the run that made the passages, so that the same corrections, made again after an undo, have another.
_OUTDATED = """
    SELECT video_id, concat_ws(':', video_id, timing_id, md5(p.word_corrections::text)) AS run_key
    FROM outdated_passages p JOIN videos USING (video_id) WHERE state = 'ready' ORDER BY timing_id LIMIT %(most)s
"""


@sensor(
    name=CORRECTED_WORDS,
    job=ingest_video,
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Embeds the passages of a video again after its words were corrected.",
)
def corrected_words(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Requests a run for each video whose passages were embedded before a correction."""
    requests = outdated(open_database())
    known = set((context.cursor or "").split("\n"))
    new = [request for request in requests if request.run_key not in known]
    if not new:
        return SkipReason("No words were corrected.")
    partitions = videos.build_add_request([str(request.partition_key) for request in new])
    cursor = "\n".join(str(request.run_key) for request in requests)
    return SensorResult(run_requests=new, dynamic_partitions_requests=[partitions], cursor=cursor)


def outdated(database: Database) -> list[RunRequest]:
    """The runs of the videos whose passages were embedded with other corrections than there are now."""
    rows = database.query(_OUTDATED, {"most": MAX_PER_TICK})
    tags = {"dagster/priority": str(RETRY_PRIORITY)}
    return [
        RunRequest(run_key=row["run_key"], partition_key=row["video_id"], job_name=ingest_video.name, tags=tags) for row in rows
    ]
