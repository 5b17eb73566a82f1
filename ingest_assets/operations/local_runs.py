"""Runs of jobs in this process, executed again if a restart of the database broke them.

The daemon retries the runs of workers; `earshot ingest` works without one. A stage whose own statement was lost is retried by
Dagster within the run (ingest_assets/stages/stage.py), so this is for statements of Dagster's, or of the run's resources.
"""

from collections.abc import Mapping, Sequence

from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from earshot.storage.database import open_database
from earshot.storage.locks import lock, run_lock
from earshot.storage.outages import is_outage
from ingest_assets import graph
from ingest_assets.operations.run_failures import QUIET, failure_of
from ingest_assets.operations.runs import LOCKED_FIRST_TAG, end_dead_runs
from resources.instance.dagster_internals import make_new_run_id
from resources.instance.pool_polling import patch_pool_polling

MOST_TRIES = 3


def run_job(
    name: str,
    instance: DagsterInstance,
    partition: str | None = None,
    stages: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> ExecuteInProcessResult:
    """Run a job of the definitions to its end, for one partition, or only some of its stages. Logs nothing to the console."""
    patch_pool_polling()
    for _ in range(MOST_TRIES - 1):
        try:
            result = _run(name, instance, partition, stages, tags)
        except Exception as error:
            if not is_outage(error):
                raise
        else:
            if result.success or not failure_of(result).outage:
                return result
        end_dead_runs(instance, open_database())  # frees the slot of the broken one
    return _run(name, instance, partition, stages, tags)


def _run(
    name: str, instance: DagsterInstance, partition: str | None, stages: Sequence[str] | None, tags: Mapping[str, str] | None
) -> ExecuteInProcessResult:
    run_id = make_new_run_id()
    with lock(open_database().url, run_lock(run_id)):
        return graph.definitions.resolve_job_def(name).execute_in_process(
            run_id=run_id,
            instance=instance,
            partition_key=partition,
            asset_selection=None if stages is None else [AssetKey(stage) for stage in stages],
            run_config=QUIET,
            tags={LOCKED_FIRST_TAG: "true", **(tags or {})},
            raise_on_error=False,
        )
