"""The asset graph with its jobs and resources, without sensors: everything a process needs to run videos itself.

Importing this does not import torch; models do, on first use.
"""

from collections.abc import Mapping

from dagster import Definitions, map_asset_specs

from earshot.config.settings import read_settings
from ingest_assets.assets.captions import captions
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.assets.people import people
from ingest_assets.assets.performance import performance
from ingest_assets.assets.search_index import search_index
from ingest_assets.jobs import find_captions, identify_people, ingest_video, keep_search_index, list_source, video_assets
from ingest_assets.presentation.code_references import with_code_references
from resources.database import DatabaseResource
from resources.enrolment_work import JUDGE_LISTED
from resources.gpu import GpuResource
from resources.instance.pool_polling import patient_executor
from resources.media_source import MediaSourceResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource

RESOURCES: Mapping[str, object] = {
    "database": DatabaseResource(),
    "enrolment_work": JUDGE_LISTED,
    "gpu": GpuResource(),
    "media_source": MediaSourceResource(),
    "media_store": MediaStoreResource(),
    "models": ModelsResource(),
}

_assets = with_code_references([*video_assets, captions, enrolments, people, search_index, performance])

definitions = Definitions(
    assets=map_asset_specs(lambda spec: spec.merge_attributes(owners=read_settings().owners), _assets),
    jobs=[find_captions, identify_people, ingest_video, keep_search_index, list_source],
    executor=patient_executor,
    resources=RESOURCES,
)
