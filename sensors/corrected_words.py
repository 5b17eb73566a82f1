"""Sensor `corrected_words`: runs videos again whose words were corrected, so that search by meaning follows.

Only stage `text_embeddings` has work; the others are current. A run is requested once for each state of a video's corrections,
and again after 10, 30 and 90 minutes if it fails; then `earshot backfill --stale` repeats it. Without this sensor only the
vectors are old: texts are corrected at once.
"""

from datetime import timedelta

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.storage.catalog.run_requests import MAX_PER_TICK, RETRY_PRIORITY
from earshot.storage.database import Database, open_database
from ingest_assets.jobs import ingest_video
from ingest_assets.partitions import videos

CORRECTED_WORDS = "corrected_words"

# The run key holds the run that made the passages, so that the same corrections, made again after an undo, have another; and
# how often the video has failed since, as Dagster starts no second run of a key. It ends with REPEATED, and so do the repeats.
_OUTDATED = """
    SELECT video_id, concat_ws(':', video_id, timing_id, md5(p.word_corrections::text), nullif(failed, 0)) AS run_key
    FROM outdated_passages p JOIN videos USING (video_id), LATERAL (SELECT least(attempts, %(repeated)s) AS failed) f
    WHERE state = 'ready' AND (failed = 0 OR updated_at < now() - 3 ^ (failed - 1) * %(pause)s)
    ORDER BY timing_id LIMIT %(most)s
"""
REPEATED = 3
PAUSE = timedelta(minutes=10)


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
    rows = database.query(_OUTDATED, {"most": MAX_PER_TICK, "repeated": REPEATED, "pause": PAUSE})
    tags = {"dagster/priority": str(RETRY_PRIORITY)}
    return [
        RunRequest(run_key=row["run_key"], partition_key=row["video_id"], job_name=ingest_video.name, tags=tags) for row in rows
    ]
