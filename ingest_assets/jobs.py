"""The jobs: `ingest_video` makes one video searchable, `list_source` reads everything that a source has, `identify_people`
decides who speaks in all videos, `keep_search_index` keeps what search goes by in order.

`list_source` is for what takes longer than a sensor may: a channel's first listing, or what was missed. The sensor
`new_uploads` starts it with the source's name as a tag; without one, as from the launchpad, it lists every source of
sources.yaml.
"""

from dagster import Failure, OpExecutionContext, RunRequest, define_asset_job, job, op

from earshot.common.errors import EarshotError
from earshot.sources.polling import list_fully
from earshot.storage.catalog.run_requests import RunRequested
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from ingest_assets.assets.audio import audio
from ingest_assets.assets.people import people
from ingest_assets.assets.search_index import search_index
from ingest_assets.assets.speaker_turns import speaker_turns
from ingest_assets.assets.text_embeddings import text_embeddings
from ingest_assets.assets.transcript import transcript
from ingest_assets.assets.voice_embeddings import voice_embeddings
from resources.instance.pool_polling import patient_executor

SOURCE_TAG = "earshot/source"
# The queue's order: new uploads before retries (5) before backfills (0); finding out what there is, and who, before all.
NEW_UPLOAD_PRIORITY = 10
PEOPLE_PRIORITY = 20
LISTING_PRIORITY = 30

video_assets = [audio, transcript, speaker_turns, voice_embeddings, text_embeddings]

# One run per video, all its stages in one process, so that models are loaded once per run and not once per stage.
ingest_video = define_asset_job(
    "ingest_video", selection=video_assets, executor_def=patient_executor, description="Makes one video searchable."
)

identify_people = define_asset_job(
    "identify_people",
    selection=[people],
    executor_def=patient_executor,
    description="Works out who speaks in all videos; new_voices starts it.",
)
keep_search_index = define_asset_job(
    "keep_search_index",
    selection=[search_index],
    executor_def=patient_executor,
    description="Keeps the index of search in order; search_upkeep starts it.",
)


@op(description="Lists what is in the source of the run's tag earshot/source, or in every source of sources.yaml.")
def list_everything(context: OpExecutionContext) -> None:
    """Fails, saying why, where a source cannot be listed; the others are listed first."""
    database, name = open_database(), context.run.tags.get(SOURCE_TAG)
    failures = []
    for source in watched_sources():
        if name not in (None, source.name):
            continue
        try:
            listed = list_fully(source, database)
        except EarshotError as error:
            failures.append(str(error))
        else:
            context.log.info(f"{source.name}: {listed.new} new, {listed.asked_for} asked for.")
    if failures:
        raise Failure(" ".join(failures), allow_retries=False)


@job(executor_def=patient_executor, description="Reads everything that a source has; new_uploads starts it.")
def list_source() -> None:
    list_everything()


def run_request(request: RunRequested, name: str, priority: int) -> RunRequest:
    """The run that a sensor asks for; `name` is what its source is called."""
    return RunRequest(
        run_key=request.run_key,
        job_name=ingest_video.name,
        partition_key=request.video_id,
        tags={SOURCE_TAG: name, "dagster/priority": str(priority)},
    )
