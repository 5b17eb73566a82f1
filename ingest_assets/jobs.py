"""The jobs: `ingest_video` makes one video searchable, `list_source` lists everything a source has, `identify_people` decides
who speaks in all videos, `keep_search_index` maintains the search index, `find_captions` makes captions searchable.

`list_source` does what is too slow for a sensor: a channel's first listing, and later ones that must fill a gap. The sensor
`new_uploads` starts it with the source's name as a tag; without the tag, as from the launchpad, it lists every source of
sources.yaml.
"""

from dagster import Failure, OpExecutionContext, RunRequest, define_asset_job, job, op

from earshot.common.errors import EarshotError
from earshot.sources.looks import describe_look
from earshot.sources.polling import list_fully
from earshot.storage.catalog.run_requests import RunRequested
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from ingest_assets.assets.audio import audio
from ingest_assets.assets.captions import captions
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.assets.people import people
from ingest_assets.assets.search_index import search_index
from ingest_assets.assets.sources import asset_keys, observation
from ingest_assets.assets.speaker_turns import speaker_turns
from ingest_assets.assets.text_embeddings import text_embeddings
from ingest_assets.assets.transcript import transcript
from ingest_assets.assets.voice_embeddings import voice_embeddings
from resources.instance.pool_polling import patient_executor

SOURCE_TAG = "earshot/source"
# The queue's order: listings and people first, then new uploads, retries (5), runs started by hand (0), backfills (-10).
NEW_UPLOAD_PRIORITY = 10
PEOPLE_PRIORITY = 20
LISTING_PRIORITY = 30

video_assets = [audio, transcript, speaker_turns, voice_embeddings, text_embeddings]

# One run per video, all stages in one process, so that models are loaded once per run and not once per stage.
ingest_video = define_asset_job(
    "ingest_video", selection=video_assets, executor_def=patient_executor, description="Makes one video searchable."
)

identify_people = define_asset_job(
    "identify_people",
    selection=[enrolments, people],
    executor_def=patient_executor,
    description="Judges new enrolments and identifies the speakers in all videos; new_voices starts it.",
)
keep_search_index = define_asset_job(
    "keep_search_index",
    selection=[search_index],
    executor_def=patient_executor,
    description="Maintains the search index; search_upkeep starts it.",
)

find_captions = define_asset_job(
    "find_captions",
    selection=[captions],
    executor_def=patient_executor,
    description="Makes captions searchable of videos that wait for their transcript; new_uploads starts it.",
)


@op(description="Lists the source in the run's tag earshot/source, or every source of sources.yaml.")
def list_everything(context: OpExecutionContext) -> None:
    """If a source cannot be listed, raises Failure with the reason after it has listed the others."""
    database, name, sources = open_database(), context.run.tags.get(SOURCE_TAG), watched_sources()
    keys, failures = asset_keys(sources), []
    for source in sources:
        if source.paused or name not in (None, source.name):
            continue
        try:
            listed = list_fully(source, database)
        except EarshotError as error:
            failures.append(str(error))
        else:
            context.log.info(f"{source.name}: {describe_look(listed)}.")
            context.log_event(observation(listed, keys[source.address]))
    if failures:
        raise Failure(" ".join(failures), allow_retries=False)


@job(executor_def=patient_executor, description="Lists everything that a source has; new_uploads starts it.")
def list_source() -> None:
    list_everything()


def run_request(request: RunRequested, name: str, priority: int) -> RunRequest:
    """The run that a sensor requests; `name` is its source's name."""
    return RunRequest(
        run_key=request.run_key,
        job_name=ingest_video.name,
        partition_key=request.video_id,
        tags={SOURCE_TAG: name, "dagster/priority": str(priority)},
    )
