"""The event log's own answers, compared with those of dagster-postgres and with what Dagster's pages show."""

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
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus as Status
from dagster_postgres import PostgresEventLogStorage

from ingest_assets.partitions import videos
from ingest_assets.presentation.checks import check_specs
from resources.instance.event_log import EarshotEventLog

CHECK = AssetCheckKey(AssetKey("checked"), "regression")
NEVER = AssetCheckKey(AssetKey("never"), "regression")


def checking(specs: Sequence[AssetCheckSpec]) -> AssetsDefinition:
    """An asset that fails its checks on partition `bad`, and raises on `broken`.

    While it works on `overtaken`, a run that was created later materializes `good`.
    """

    @asset(partitions_def=videos, check_specs=specs)
    def checked(context: AssetExecutionContext) -> MaterializeResult:
        if "broken" in context.partition_key:
            raise ValueError("broken")
        if context.partition_key == "overtaken":
            run(context.instance, "good", checked)
        passed = "bad" not in context.partition_key
        return MaterializeResult(check_results=[AssetCheckResult(passed=passed, check_name=spec.name) for spec in specs])

    return checked


def with_partitioned_checks(partitions: PartitionsDefinition) -> AssetsDefinition:
    """The asset as in older libraries, whose checks had partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)
        return checking([AssetCheckSpec(CHECK.name, asset=CHECK.asset_key, partitions_def=partitions)])


checked = checking(check_specs("checked"))


@pytest.fixture
def log(instance: DagsterInstance) -> Iterator[EarshotEventLog]:
    """The event log, without events of the asset."""
    instance.wipe_assets([checked.key])
    assert isinstance(instance.event_log_storage, EarshotEventLog)
    yield instance.event_log_storage
    instance.wipe_assets([checked.key])


def run(instance: DagsterInstance, key: str, definition: AssetsDefinition) -> None:
    instance.add_dynamic_partitions(str(videos.name), [key])
    materialize([definition], instance=instance, partition_key=key, raise_on_error=False)


def is_shown(instance: DagsterInstance, record: AssetCheckExecutionRecord) -> bool:
    """Whether the UI shows it instead of a missing check."""
    return asyncio.run(record.targets_latest_materialization(LoadingContextForTest(instance)))


def status(instance: DagsterInstance, record: AssetCheckExecutionRecord) -> Status:
    """The status that the UI shows."""
    return asyncio.run(record.resolve_status(LoadingContextForTest(instance)))


def dagsters(log: EarshotEventLog) -> AssetCheckExecutionRecord:
    return PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK])[CHECK]


def ours(log: EarshotEventLog) -> AssetCheckExecutionRecord:
    return log.get_latest_asset_check_execution_by_key([CHECK])[CHECK]


def test_check_results_are_kept_without_preview_warning(instance: DagsterInstance, log: EarshotEventLog) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", PreviewWarning)
        run(instance, "good", checking(check_specs("checked")))
    kept = ours(log)
    assert kept.evaluation is not None
    assert kept.evaluation.passed


def test_each_evaluation_targets_its_materialization(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad"):
        run(instance, key, checked)
    materialized = {
        record.storage_id: record.partition_key for record in instance.fetch_materializations(checked.key, 10).records
    }
    judged = [record.evaluation for record in log.get_asset_check_execution_history(CHECK, 10)]
    targets = [evaluation.target_materialization_data for evaluation in judged if evaluation is not None]
    assert [materialized[target.storage_id] for target in targets if target is not None] == ["bad", "good"]


def test_last_execution_equals_dagsters(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad", "good"):
        run(instance, key, checked)
        latest = log.get_latest_asset_check_execution_by_key([CHECK, NEVER])
        assert latest == PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK, NEVER])
        assert is_shown(instance, latest[CHECK])


def test_run_that_failed_before_its_checks_fails_none(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "broken"):
        run(instance, key, checked)
    assert status(instance, dagsters(log)) == Status.EXECUTION_FAILED
    assert status(instance, ours(log)) == Status.SUCCEEDED
    assert is_shown(instance, ours(log))


def test_check_that_was_never_evaluated_has_no_execution(instance: DagsterInstance, log: EarshotEventLog) -> None:
    run(instance, "broken", checked)
    assert log.get_latest_asset_check_execution_by_key([CHECK]) == {}


def test_check_of_active_run_is_in_progress(instance: DagsterInstance, log: EarshotEventLog) -> None:
    during: list[Status] = []

    @asset(partitions_def=videos, check_specs=check_specs("checked"))
    def checked(context: AssetExecutionContext) -> MaterializeResult:
        during.append(status(context.instance, ours(log)))
        return MaterializeResult(
            check_results=[AssetCheckResult(passed=True, check_name=spec.name) for spec in check_specs("checked")]
        )

    for key in ("broken", "good"):
        run(instance, key, checked)
    assert during == [Status.IN_PROGRESS] * 2
    assert status(instance, ours(log)) == Status.SUCCEEDED


def test_check_of_overtaken_run_is_not_missing(instance: DagsterInstance, log: EarshotEventLog) -> None:
    run(instance, "overtaken", checked)
    [newest] = instance.fetch_materializations(checked.key, 1).records
    assert newest.partition_key == "overtaken"
    assert not is_shown(instance, dagsters(log)), "Dagster shows it itself now: remove this override"
    assert is_shown(instance, ours(log))
    assert ours(log).run_id == newest.run_id


def test_last_execution_in_a_partition_equals_dagsters(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("good", "bad"):
        run(instance, key, with_partitioned_checks(videos))
    for partition in (PartitionKeyFilter(key="good"), PartitionKeyFilter(key=None)):
        latest = log.get_latest_asset_check_execution_by_key([CHECK], partition)
        assert latest == PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK], partition)


def test_partitioned_results_of_older_library_are_shown(instance: DagsterInstance, log: EarshotEventLog) -> None:
    for key in ("bad", "good"):
        run(instance, key, with_partitioned_checks(videos))
    assert (ours(log).partition, is_shown(instance, ours(log))) == ("good", True)
    run(instance, "good", checked)
    assert (ours(log).partition, is_shown(instance, ours(log))) == (None, True)
    history = log.get_asset_check_execution_history(CHECK, 10)
    assert [record.partition for record in history] == [None, "good", "bad"]
    assert all(record.evaluation for record in history)


def test_partitions_equal_dagsters_after_changes(instance: DagsterInstance) -> None:
    log, name = instance.event_log_storage, str(videos.name)
    assert isinstance(log, EarshotEventLog)

    def partitions() -> list[str]:
        answer = list(log.get_dynamic_partitions(name))
        assert answer == list(PostgresEventLogStorage.get_dynamic_partitions(log, name))
        return answer

    assert partitions() == []
    log.add_dynamic_partitions(name, ["b", "a"])
    assert partitions() == ["b", "a"]
    log.get_dynamic_partitions(name).append("mine")  # pyright: ignore[reportAttributeAccessIssue]
    log.delete_dynamic_partition(name, "b")
    log.add_dynamic_partitions(name, ["c"])
    assert partitions() == ["a", "c"]
    assert list(log.get_dynamic_partitions("others")) == []
