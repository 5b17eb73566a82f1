"""Asset `captions`: makes videos searchable by captions that others made, until their own transcripts are made. Unpartitioned.

One run looks for those of every video that waits (earshot/transcripts/captions/upkeep.py); the sensor `new_uploads` starts it
in the tick in which it finds the videos. `earshot ingest` looks for those of its videos itself. It is no stage: no video lacks
it or becomes stale with it, and its time belongs to no baseline. It computes on the CPU on purpose, so that it never waits for
a transcription on the GPU.
"""

from collections import Counter
from functools import partial

from dagster import AssetExecutionContext, AssetKey, MaterializeResult, MetadataValue, asset

from earshot.common.redaction import without_secrets
from earshot.common.text import pluralize
from earshot.models.device import require_device
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from earshot.transcripts.captions.upkeep import Captioning, look_for_captions, pending
from earshot.transcripts.search.text_models import register_text_model, searched_model
from ingest_assets.stages.video_asset import CATALOGUE
from resources.database import DatabaseResource
from resources.models import ModelsResource


@asset(
    group_name="library",
    code_version="1",
    deps=[AssetKey(CATALOGUE)],
    kinds={"postgres"},
    description="Captions of sites, feeds and files, searched until a video's own transcript is made.\n\n"
    "One row of `captions` is one video for which they were looked for.",
    tags={"earshot/per": "library"},
)
def captions(context: AssetExecutionContext, database: DatabaseResource, models: ModelsResource) -> MaterializeResult:
    opened = database.open()
    counted: Counter[str] = Counter()
    for look in look_for_captions(captioning(opened, models), pending(opened, watched_sources())):
        result = pluralize(look.passages, "passage") if look.passages else look.reason
        context.log.info(f"{look.video.video_id}: {without_secrets(result)}")
        counted.update(videos=1, captioned=int(look.passages > 0), passages=look.passages)
    figures = {name: MetadataValue.int(counted[name]) for name in ("videos", "captioned", "passages")}
    return MaterializeResult(metadata=figures)


def captioning(database: Database, models: ModelsResource) -> Captioning:
    """What looking for captions needs: with the searched text model, or today's in a library that has none yet."""
    if searched_model(database) is None:
        register_text_model(database, models.open().model_set().text)
    searched = searched_model(database)
    assert searched is not None
    return Captioning(database, searched, partial(models.open().text_encoder, require_device("cpu"), searched.described))
