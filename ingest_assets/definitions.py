"""The definitions that Dagster loads: the asset graph (ingest_assets/graph.py), the sources above it, and its sensors."""

from dagster import Definitions

from earshot.config.settings import read_settings
from ingest_assets import graph
from ingest_assets.assets.sources import source_assets
from sensors.alerts import alerts
from sensors.corrected_words import corrected_words
from sensors.dead_runs import dead_runs
from sensors.failed_runs import failed_runs
from sensors.failing_backfills import failing_backfills
from sensors.new_uploads import new_uploads
from sensors.new_voices import new_voices
from sensors.performance_daily import performance_daily
from sensors.retention_daily import retention_daily
from sensors.retries import retries
from sensors.search_upkeep import search_upkeep
from sensors.webhooks import webhooks

defs = Definitions.merge(
    graph.definitions,
    Definitions(
        assets=[spec.merge_attributes(owners=read_settings().owners) for spec in source_assets()],
        schedules=[performance_daily, retention_daily],
        sensors=[
            alerts,
            corrected_words,
            dead_runs,
            failed_runs,
            failing_backfills,
            new_uploads,
            new_voices,
            retries,
            search_upkeep,
            webhooks,
        ],
    ),
)
