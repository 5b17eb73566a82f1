"""Dagster's private names keep doing what Earshot uses them for."""

import os
import signal
import time

import pytest
from dagster import AssetKey, DagsterInstance, job, reconstructable
from dagster._serdes import pack_value

from earshot.config.settings import PROJECT_ROOT
from ingest_assets.partitions import videos
from resources.instance import dagster_internals
from resources.instance.dagster_internals import (
    BACKFILL_ID_TAG,
    BULK_ACTION_TERMINAL_STATUSES,
    PRIORITY_TAG,
    RETRY_ON_ASSET_OR_OP_FAILURE_TAG,
    WILL_RETRY_TAG,
    AssetGraphSubset,
    BulkActionsFilter,
    BulkActionStatus,
    ExecuteRunArgs,
    PartitionBackfill,
    SerializableErrorInfo,
    capture_interrupts,
    check_captured_interrupt,
    make_new_backfill_id,
    make_new_run_id,
    unpack_value,
)


@job
def does_nothing() -> None: ...


@pytest.mark.parametrize("name", [name for name in vars(dagster_internals) if not name.startswith("__")])
def test_each_internal_is_used(name: str) -> None:
    modules = [path for folder in ("ingest_assets", "sensors", "bench") for path in (PROJECT_ROOT / folder).rglob("*.py")]
    assert any(name in path.read_text() for path in modules), f"remove {name} from {dagster_internals.__file__}"


def test_tags_match_existing_libraries() -> None:
    assert BACKFILL_ID_TAG == "dagster/backfill"
    assert PRIORITY_TAG == "dagster/priority"
    assert RETRY_ON_ASSET_OR_OP_FAILURE_TAG == "dagster/retry_on_asset_or_op_failure"
    assert WILL_RETRY_TAG == "dagster/will_retry"


def test_run_gets_the_id_made_before_it(instance: DagsterInstance) -> None:
    run_id = make_new_run_id()
    assert instance.create_run_for_job(does_nothing, run_id=run_id).run_id == run_id
    assert make_new_run_id() != run_id


def test_backfill_of_different_partitions_is_kept_and_stopped(instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(videos.name), ["a", "b"])
    wanted = {AssetKey("audio"): {"a"}, AssetKey("transcript"): {"a", "b"}}
    subsets = {key: videos.empty_subset().with_partition_keys(keys) for key, keys in wanted.items()}
    backfill_id = make_new_backfill_id()
    instance.add_backfill(
        PartitionBackfill.from_asset_graph_subset(
            backfill_id=backfill_id,
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            asset_graph_subset=AssetGraphSubset(partitions_subsets_by_asset_key=subsets),
            title="contract",
            description=None,
            run_config=None,
        )
    )
    requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    [kept] = [backfill for backfill in instance.get_backfills(requested) if backfill.backfill_id == backfill_id]
    assert kept.asset_backfill_data is not None
    targets = kept.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    assert {key: set(subset.get_partition_keys()) for key, subset in targets.items()} == wanted
    error = SerializableErrorInfo("stopped", [], None)
    instance.update_backfill(kept.with_status(BulkActionStatus.FAILED).with_error(error))
    stopped = instance.get_backfill(backfill_id)
    assert stopped is not None
    assert (stopped.status, stopped.error) == (BulkActionStatus.FAILED, error)
    assert backfill_id not in {backfill.backfill_id for backfill in instance.get_backfills(requested)}


def test_every_backfill_status_is_active_or_terminal() -> None:
    active = {BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING}
    assert set(BULK_ACTION_TERMINAL_STATUSES) == set(BulkActionStatus) - active


def test_interrupt_is_deferred_to_the_end_of_the_block() -> None:
    with capture_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        assert check_captured_interrupt()
    assert not check_captured_interrupt()


def test_worker_unpacks_runs_of_dagster_celery(instance: DagsterInstance) -> None:
    run = instance.create_run_for_job(does_nothing)
    packed = pack_value(ExecuteRunArgs(reconstructable(does_nothing).get_python_origin(), run.run_id, instance.get_ref()))
    assert unpack_value(packed, as_type=ExecuteRunArgs).run_id == run.run_id
