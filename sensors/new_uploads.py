"""Sensor `new_uploads`: adds a partition and starts a run for each new video of the sources in sources.yaml.

earshot/sources/polling.py polls the sources; earshot/storage/catalog/run_requests.py keeps requests from being lost. The order
is always the same: the video's row in the catalogue, then its partition, then its run; the cursor passes only submitted runs.
New uploads precede backfills in the queue. If videos wait whose captions are to be looked for, the tick also requests a run of
`find_captions`, unless one is active: captions are searchable within seconds, and transcripts come later.
"""

import hashlib
import time
from collections.abc import Sequence

from dagster import (
    DagsterInstance,
    DefaultSensorStatus,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from earshot.config.sources_file import Source
from earshot.sources.listings import NEW_UPLOADS
from earshot.sources.looks import describe_tick
from earshot.sources.polling import PollResult, poll_sources
from earshot.storage.catalog.run_requests import next_requests
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database, open_database
from earshot.transcripts.captions.upkeep import pending
from ingest_assets.assets.sources import observations
from ingest_assets.jobs import (
    LISTING_PRIORITY,
    NEW_UPLOAD_PRIORITY,
    SOURCE_TAG,
    find_captions,
    ingest_video,
    list_source,
    run_request,
)
from ingest_assets.operations.runs import has_active_run
from ingest_assets.partitions import videos

CAPTIONS_AGAIN_S = 600.0  # the least time between two runs for the same captions, the first of which failed


@sensor(
    name=NEW_UPLOADS,
    jobs=[ingest_video, list_source, find_captions],
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
    captions = _captions_run(context.instance, database, list(sources.values()))
    watched = list(zip(sources.values(), states_of(database, list(sources)), strict=True))
    message = describe_tick(polls, watched)
    if runs or listings or captions:
        context.log.info(message)  # a tick that requests runs shows no message
    return SensorResult(
        run_requests=[*captions, *listings, *runs],
        skip_reason=None if runs or listings or captions else SkipReason(message),
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


def _captions_run(instance: DagsterInstance, database: Database, sources: Sequence[Source]) -> list[RunRequest]:
    """The run that looks for captions, if there are videos to look at and none is active. One that fails is repeated later."""
    waiting = [] if has_active_run(instance, find_captions.name) else pending(database, sources)
    if not waiting:
        return []
    digest = hashlib.sha256(repr([(video.video_id, video.file) for _, video in waiting]).encode()).hexdigest()[:16]
    run_key = f"captions:{digest}:{int(time.time() // CAPTIONS_AGAIN_S)}"
    tags = {"dagster/priority": str(LISTING_PRIORITY)}
    return [RunRequest(run_key=run_key, job_name=find_captions.name, tags=tags)]


def _log(context: SensorEvaluationContext, polls: Sequence[PollResult]) -> None:
    for poll in polls:
        if poll.error:
            context.log.warning(poll.error)
