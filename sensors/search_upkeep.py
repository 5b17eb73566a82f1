"""Sensor `search_upkeep`: starts asset `search_index` when there is something for it to do.

What that is, `plan()` of ingest_assets/assets/search_index.py says. While such a run waits or works, a tick does nothing; one
that failed is asked for again only when something else is to be done, or after a materialization by hand.
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
    description="Keeps the index of search in order as videos come and when the text model changes.",
)
def search_upkeep(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Asks for a run of `search_index` where something is to be done that was not asked for before."""
    told = plan(open_database(), model_set(read_settings()).text).told
    if not told:
        context.update_cursor("")
        return SkipReason("The index is there, and the newest text model is searched as soon as it has every video.")
    if told == context.cursor:
        return SkipReason(f"Asked for already, and it did not help: {told}.")
    if has_active_run(context.instance, keep_search_index.name):
        return SkipReason(f"A run of {keep_search_index.name} is under way.")
    request = RunRequest(job_name=keep_search_index.name, tags={"dagster/priority": str(PEOPLE_PRIORITY)})
    return SensorResult(run_requests=[request], cursor=told)
