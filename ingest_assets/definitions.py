"""What Dagster loads: five assets per video and the job over them, the report, sensors, and what the assets are given.

Importing this loads no torch: models are imported where they are first used.
"""

from dagster import Definitions, define_asset_job, in_process_executor

from ingest_assets.audio import audio
from ingest_assets.performance import performance
from ingest_assets.speaker_turns import speaker_turns
from ingest_assets.text_embeddings import text_embeddings
from ingest_assets.transcript import transcript
from ingest_assets.voice_embeddings import voice_embeddings
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.loaded_models import ModelsResource
from resources.media_source import MediaSourceResource
from resources.media_store import MediaStoreResource
from sensors.alerts import alerts
from sensors.dead_runs import dead_runs
from sensors.failed_runs import failed_runs
from sensors.performance_daily import performance_daily

video_assets = [audio, transcript, speaker_turns, voice_embeddings, text_embeddings]

# One run per video, all its stages in one process, so that models are loaded once per run and not once per stage.
ingest_video = define_asset_job("ingest_video", selection=video_assets, executor_def=in_process_executor)

defs = Definitions(
    assets=[*video_assets, performance],
    jobs=[ingest_video],
    schedules=[performance_daily],
    sensors=[alerts, dead_runs, failed_runs],
    executor=in_process_executor,
    resources={
        "database": DatabaseResource(),
        "gpu": GpuResource(),
        "media_source": MediaSourceResource(),
        "media_store": MediaStoreResource(),
        "models": ModelsResource(),
    },
)
