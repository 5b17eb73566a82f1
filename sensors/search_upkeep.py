"""Sensor `search_upkeep`: starts asset `search_index` when `plan()` of ingest_assets/assets/search_index.py has work for it.

While such a run is queued or running, a tick does nothing. A failed run is requested again only if the plan changes, or after
the asset was materialized by hand.
"""

from dagster import DefaultSensorStatus, RunRequest, SensorEvaluationContext, SensorResult, SkipReason, sensor

from earshot.config.settings import read_settings
from earshot.models.registry import model_set
from earshot.storage.database import open_database
from ingest_assets.assets.search_index import plan
from ingest_assets.jobs import PEOPLE_PRIORITY, keep_search_index
from ingest_assets.operations.runs import has_active_run

SEARCH_UPKEEP = "search_upkeep"


@sensor(
    name=SEARCH_UPKEEP,
    job=keep_search_index,
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Maintains the search index as videos arrive and when the text model changes.",
)
def search_upkeep(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Requests a run of `search_index` if there is work not requested yet."""
    work = plan(open_database(), model_set(read_settings()).text).description
    if not work:
        context.update_cursor("")
        return SkipReason("The index exists; a new text model takes over once it has embedded every video.")
    if work == context.cursor:
        return SkipReason(f"Already requested, but still to be done: {work}.")
    if has_active_run(context.instance, keep_search_index.name):
        return SkipReason(f"A run of {keep_search_index.name} is queued or running.")
    request = RunRequest(job_name=keep_search_index.name, tags={"dagster/priority": str(PEOPLE_PRIORITY)})
    return SensorResult(run_requests=[request], cursor=work)
