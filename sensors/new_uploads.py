"""Sensor `new_uploads`: adds a partition and starts a run for each new video of the sources in sources.yaml.

earshot/sources/polling.py polls the sources; earshot/storage/catalog/run_requests.py keeps requests from being lost. The order
is always the same: the video's row in the catalogue, then its partition, then its run; the cursor passes only submitted runs.
New uploads precede backfills in the queue.
"""

from collections.abc import Sequence

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.sources.listings import NEW_UPLOADS
from earshot.sources.looks import describe_tick
from earshot.sources.polling import PollResult, poll_sources
from earshot.storage.catalog.run_requests import next_requests
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from ingest_assets.assets.sources import observations
from ingest_assets.jobs import LISTING_PRIORITY, NEW_UPLOAD_PRIORITY, SOURCE_TAG, ingest_video, list_source, run_request
from ingest_assets.partitions import videos


@sensor(
    name=NEW_UPLOADS,
    jobs=[ingest_video, list_source],
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Polls the sources of sources.yaml and starts a run for each new video.",
)
def new_uploads(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Polls the sources and requests runs for new videos."""
    database, sources = open_database(), {source.address: source for source in watched_sources()}
    if not sources:
        return SkipReason("sources.yaml names no source.")
    polls = poll_sources(list(sources.values()), database)
    _log(context, polls)
    unpaused = [address for address, source in sources.items() if not source.paused]
    requests, cursor = next_requests(database, NEW_UPLOADS, context.cursor, unpaused)
    runs = [run_request(wanted, sources[wanted.source].name, NEW_UPLOAD_PRIORITY + wanted.priority) for wanted in requests]
    listings = [_listing_run(poll) for poll in polls if poll.listing_key]
    watched = list(zip(sources.values(), states_of(database, list(sources)), strict=True))
    message = describe_tick(polls, watched)
    if runs or listings:
        context.log.info(message)  # a tick that requests runs shows no message
    return SensorResult(
        run_requests=[*listings, *runs],
        skip_reason=None if runs or listings else SkipReason(message),
        dynamic_partitions_requests=[videos.build_add_request([wanted.video_id for wanted in requests])] if requests else [],
        asset_events=observations(polls, watched),
        cursor=cursor,
    )


def _listing_run(poll: PollResult) -> RunRequest:
    return RunRequest(
        run_key=f"list {poll.source.name}:{poll.listing_key}",
        job_name=list_source.name,
        tags={SOURCE_TAG: poll.source.name, "dagster/priority": str(LISTING_PRIORITY)},
    )


def _log(context: SensorEvaluationContext, polls: Sequence[PollResult]) -> None:
    for poll in polls:
        if poll.error:
            context.log.warning(poll.error)
