"""What Dagster loads: five assets per video, people, the index of search, the report, jobs, sensors, and what assets are given.

Importing this loads no torch: models are imported where they are first used.
"""

from dagster import Definitions

from earshot.media.fetching import MediaSourceResource
from earshot.models.cache import ModelsResource
from earshot.models.device import GpuResource
from earshot.storage.database import DatabaseResource
from earshot.storage.media_store import MediaStoreResource
from ingest_assets.assets.people import people
from ingest_assets.assets.performance import performance
from ingest_assets.assets.search_index import search_index
from ingest_assets.jobs import identify_people, ingest_video, keep_search_index, list_source, video_assets
from resources.instance.pool_polling import patient_executor
from sensors.alerts import alerts
from sensors.dead_runs import dead_runs
from sensors.failed_runs import failed_runs
from sensors.failing_backfills import failing_backfills
from sensors.new_uploads import new_uploads
from sensors.new_voices import new_voices
from sensors.performance_daily import performance_daily
from sensors.retries import retries
from sensors.search_upkeep import search_upkeep

defs = Definitions(
    assets=[*video_assets, people, search_index, performance],
    jobs=[identify_people, ingest_video, keep_search_index, list_source],
    schedules=[performance_daily],
    sensors=[alerts, dead_runs, failed_runs, failing_backfills, new_uploads, new_voices, retries, search_upkeep],
    executor=patient_executor,
    resources={
        "database": DatabaseResource(),
        "gpu": GpuResource(),
        "media_source": MediaSourceResource(),
        "media_store": MediaStoreResource(),
        "models": ModelsResource(),
    },
)
