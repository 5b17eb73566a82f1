"""Sensor `new_uploads`: what the sources of sources.yaml have that is new becomes a partition and a run, by itself.

How sources are looked at says earshot/sources/polling.py, how nothing is lost earshot/storage/catalog/run_requests.py. The
order is always the same: the video's row in the catalogue, then its partition, then its run; the cursor moves only past runs
that were submitted. New uploads go ahead of backfills in the queue.
"""

from collections.abc import Sequence

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.sources.listings import NEW_UPLOADS
from earshot.sources.polling import PollResult, poll_sources
from earshot.storage.catalog.run_requests import next_requests
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from ingest_assets.jobs import LISTING_PRIORITY, NEW_UPLOAD_PRIORITY, SOURCE_TAG, ingest_video, list_source, run_request
from ingest_assets.partitions import videos


@sensor(
    name=NEW_UPLOADS,
    jobs=[ingest_video, list_source],
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Looks at the sources of sources.yaml and starts a run for each new video.",
)
def new_uploads(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Looks at the sources and asks for what is new."""
    database, sources = open_database(), {source.address: source for source in watched_sources()}
    if not sources:
        return SkipReason("sources.yaml names no source.")
    looks = poll_sources(list(sources.values()), database)
    _tell(context, looks)
    requests, cursor = next_requests(database, NEW_UPLOADS, context.cursor, list(sources))
    runs = [run_request(one, sources[one.source].name, NEW_UPLOAD_PRIORITY + one.priority) for one in requests]
    listings = [_listing_run(looked) for looked in looks if looked.to_list]
    if not runs and not listings:
        return SkipReason(_summary(looks))
    return SensorResult(
        run_requests=[*listings, *runs],
        dynamic_partitions_requests=[videos.build_add_request([one.video_id for one in requests])] if requests else [],
        cursor=cursor,
    )


def _listing_run(looked: PollResult) -> RunRequest:
    return RunRequest(
        run_key=f"list {looked.source.name}:{looked.to_list}",
        job_name=list_source.name,
        tags={SOURCE_TAG: looked.source.name, "dagster/priority": str(LISTING_PRIORITY)},
    )


def _tell(context: SensorEvaluationContext, looks: Sequence[PollResult]) -> None:
    for looked in looks:
        if looked.error:
            context.log.warning(looked.error)
        elif looked.new or looked.asked_for:
            context.log.info(f"{looked.source.name}: {looked.new} new, {looked.asked_for} asked for.")


def _summary(looks: Sequence[PollResult]) -> str:
    failed = [looked.error for looked in looks if looked.error]
    return " ".join(["Nothing new.", *failed])
