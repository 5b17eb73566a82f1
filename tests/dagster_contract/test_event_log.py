"""The event log's own answers: held against what dagster-postgres, and Dagster's pages, make of the same runs."""

import asyncio
import warnings
from collections.abc import Iterator, Sequence

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    MaterializeResult,
    PartitionsDefinition,
    PreviewWarning,
    asset,
    materialize,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster_postgres import PostgresEventLogStorage

from ingest_assets.partitions import videos
from ingest_assets.stages.checks import check_specs
from resources.instance.event_log import EarshotEventLog

CHECK = AssetCheckKey(AssetKey("looked_at"), "regression")
NEVER = AssetCheckKey(AssetKey("never"), "regression")


def looking_at(specs: Sequence[AssetCheckSpec]) -> AssetsDefinition:
    """An asset that passes its checks but for what is called bad, and breaks before them where it is called broken.

    While it works on what is called overtaken, a run that was created later does the partition `good`.
    """

    @asset(partitions_def=videos, check_specs=specs)
    def looked_at(context: AssetExecutionContext) -> MaterializeResult:
        if "broken" in context.partition_key:
            raise ValueError("broken")
        if context.partition_key == "overtaken":
            run(context.instance, "good", looked_at)
        passed = "bad" not in context.partition_key
        return MaterializeResult(check_results=[AssetCheckResult(passed=passed, check_name=spec.name) for spec in specs])

    return looked_at


def as_before(partitions: PartitionsDefinition) -> AssetsDefinition:
    """The asset as libraries have it in which checks still had partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)
        return looking_at([AssetCheckSpec(CHECK.name, asset=CHECK.asset_key, partitions_def=partitions)])


looked_at = looking_at(check_specs("looked_at"))


@pytest.fixture
def log(instance: DagsterInstance) -> Iterator[EarshotEventLog]:
    """The event log, without a word of the asset."""
    instance.wipe_assets([looked_at.key])
    assert isinstance(instance.event_log_storage, EarshotEventLog)
    yield instance.event_log_storage
    instance.wipe_assets([looked_at.key])


def run(instance: DagsterInstance, key: str, definition: AssetsDefinition) -> None:
    instance.add_dynamic_partitions(str(videos.name), [key])
    materialize([definition], instance=instance, partition_key=key, raise_on_error=False)


def is_shown(instance: DagsterInstance, record: AssetCheckExecutionRecord) -> bool:
    """Whether the UI shows it, and not that the check is missing."""
    return asyncio.run(record.targets_latest_materialization(LoadingContextForTest(instance)))


def dagsters(log: EarshotEventLog) -> AssetCheckExecutionRecord:
    return PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK])[CHECK]


def ours(log: EarshotEventLog) -> AssetCheckExecutionRecord:
    return log.get_latest_asset_check_execution_by_key([CHECK])[CHECK]


def test_check_results_are_kept_without_a_preview_warning(instance: DagsterInstance, log: EarshotEventLog) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", PreviewWarning)
        run(instance, "good", looking_at(check_specs("looked_at")))
    kept = ours(log)
    assert kept.evaluation is not None
    assert kept.evaluation.passed


def test_each_evaluation_names_the_materialization_it_judged(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad"):
        run(instance, key, looked_at)
    materialized = {
        record.storage_id: record.partition_key for record in instance.fetch_materializations(looked_at.key, 10).records
    }
    judged = [record.evaluation for record in log.get_asset_check_execution_history(CHECK, 10)]
    targets = [evaluation.target_materialization_data for evaluation in judged if evaluation is not None]
    assert [materialized[target.storage_id] for target in targets if target is not None] == ["bad", "good"]


def test_last_execution_is_dagsters_where_no_run_overtook_another(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad", "broken", "good"):
        run(instance, key, looked_at)
        told = log.get_latest_asset_check_execution_by_key([CHECK, NEVER])
        assert told == PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK, NEVER])
        assert is_shown(instance, told[CHECK])


def test_check_is_not_shown_as_missing_where_one_run_overtook_another(instance: DagsterInstance, log: EarshotEventLog) -> None:
    run(instance, "overtaken", looked_at)
    [newest] = instance.fetch_materializations(looked_at.key, 1).records
    assert newest.partition_key == "overtaken"
    assert not is_shown(instance, dagsters(log)), "Dagster shows it by itself now: this answer can go"
    assert is_shown(instance, ours(log))
    assert ours(log).run_id == newest.run_id


def test_last_execution_in_a_partition_is_dagsters(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad"):
        run(instance, key, as_before(videos))
    for partition in (PartitionKeyFilter(key="good"), PartitionKeyFilter(key=None)):
        told = log.get_latest_asset_check_execution_by_key([CHECK], partition)
        assert told == PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK], partition)


def test_results_by_partition_of_an_existing_library_are_shown(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("bad", "good"):
        run(instance, key, as_before(videos))
    assert (ours(log).partition, is_shown(instance, ours(log))) == ("good", True)
    run(instance, "good", looked_at)
    assert (ours(log).partition, is_shown(instance, ours(log))) == (None, True)
    history = log.get_asset_check_execution_history(CHECK, 10)
    assert [record.partition for record in history] == [None, "good", "bad"]
    assert all(record.evaluation for record in history)


def test_partitions_are_dagsters_after_every_change(instance: DagsterInstance) -> None:
    log, name = instance.event_log_storage, str(videos.name)
    assert isinstance(log, EarshotEventLog)

    def told() -> list[str]:
        answer = list(log.get_dynamic_partitions(name))
        assert answer == list(PostgresEventLogStorage.get_dynamic_partitions(log, name))
        return answer

    assert told() == []
    log.add_dynamic_partitions(name, ["b", "a"])
    assert told() == ["b", "a"]
    log.get_dynamic_partitions(name).append("mine")  # pyright: ignore[reportAttributeAccessIssue]
    log.delete_dynamic_partition(name, "b")
    log.add_dynamic_partitions(name, ["c"])
    assert told() == ["a", "c"]
    assert list(log.get_dynamic_partitions("others")) == []
