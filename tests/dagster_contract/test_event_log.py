"""The event log's own answers are Dagster's: held against what dagster-postgres says of the same runs."""

from collections.abc import Callable
from typing import Any

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    DagsterInstance,
    MaterializeResult,
    asset,
    materialize,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.event_api import PartitionKeyFilter
from dagster_postgres import PostgresEventLogStorage

from ingest_assets.partitions import videos
from ingest_assets.stages.checks import check_specs
from resources.instance import event_log
from resources.instance.event_log import EarshotEventLog

CHECK = AssetCheckKey(AssetKey("looked_at"), "regression")
NEVER = AssetCheckKey(AssetKey("never"), "regression")


@asset(partitions_def=videos, check_specs=check_specs("looked_at"))
def looked_at(context: AssetExecutionContext) -> MaterializeResult:
    """Passes its checks but for what is called bad; breaks before them where it is called broken."""
    if "broken" in context.partition_key:
        raise ValueError("broken")
    passed = "bad" not in context.partition_key
    return MaterializeResult(
        check_results=[AssetCheckResult(passed=passed, check_name=spec.name) for spec in check_specs("looked_at")]
    )


@pytest.fixture
def ran(instance: DagsterInstance) -> Callable[..., EarshotEventLog]:
    """Materializes these partitions one after another; gives the event log."""

    def run(*keys: str) -> EarshotEventLog:
        instance.wipe_assets([looked_at.key])
        instance.add_dynamic_partitions(str(videos.name), list(keys))
        for key in keys:
            materialize([looked_at], instance=instance, partition_key=key, raise_on_error=False)
        assert isinstance(instance.event_log_storage, EarshotEventLog)
        return instance.event_log_storage

    return run


def states(log: PostgresEventLogStorage, ask: Callable[..., Any]) -> dict[str, set[str]]:
    with partition_loading_context(dynamic_partitions_store=log._instance):
        state = ask(log, [(CHECK, videos)])[CHECK]
    return {status.value: set(subset.value.subset) for status, subset in state.subsets.items()}


def test_the_state_of_checks_is_dagsters(ran: Callable[..., EarshotEventLog]) -> None:
    log = ran("good-1", "bad-2", "broken-3", "good-4", "bad-4b", "good-1")
    told = states(log, EarshotEventLog.get_asset_check_state)
    assert told["SUCCEEDED"] == {"good-1", "good-4"}
    assert told["FAILED"] == {"bad-2", "bad-4b"}
    plain = PostgresEventLogStorage(log.postgres_url)
    plain.register_instance(log._instance)
    assert told == states(plain, PostgresEventLogStorage.get_asset_check_state)


def test_a_partition_that_is_gone_is_not_told(ran: Callable[..., EarshotEventLog]) -> None:
    log = ran("good-1", "good-2")
    log._instance.delete_dynamic_partition(str(videos.name), "good-1")
    assert states(log, EarshotEventLog.get_asset_check_state)["SUCCEEDED"] == {"good-2"}


def test_only_the_newest_partitions_are_told(ran: Callable[..., EarshotEventLog], monkeypatch: pytest.MonkeyPatch) -> None:
    log = ran("good-1", "good-2", "good-3", "good-2")
    monkeypatch.setattr(event_log, "WINDOW", 2)
    assert states(log, EarshotEventLog.get_asset_check_state)["SUCCEEDED"] == {"good-2", "good-3"}


def test_the_last_execution_of_a_check_is_dagsters(ran: Callable[..., EarshotEventLog]) -> None:
    log = ran("good-1", "bad-2")
    for keys in (["good-1"], ["broken-3"], ["good-4"]):
        log._instance.add_dynamic_partitions(str(videos.name), keys)
        materialize([looked_at], instance=log._instance, partition_key=keys[0], raise_on_error=False)
        told = log.get_latest_asset_check_execution_by_key([CHECK, NEVER])
        assert told == PostgresEventLogStorage.get_latest_asset_check_execution_by_key(log, [CHECK, NEVER])
        assert told[CHECK].partition == keys[0]
    of_one = log.get_latest_asset_check_execution_by_key([CHECK], PartitionKeyFilter(key="bad-2"))
    assert of_one[CHECK].partition == "bad-2"


def test_partitions_are_read_again_where_they_are_others(instance: DagsterInstance) -> None:
    log, name = instance.event_log_storage, str(videos.name)
    assert list(log.get_dynamic_partitions(name)) == []
    log.add_dynamic_partitions(name, ["b", "a"])
    assert list(log.get_dynamic_partitions(name)) == ["b", "a"]
    log.get_dynamic_partitions(name).append("mine")  # pyright: ignore[reportAttributeAccessIssue]
    log.delete_dynamic_partition(name, "b")
    log.add_dynamic_partitions(name, ["c"])
    assert list(log.get_dynamic_partitions(name)) == ["a", "c"]
    assert list(log.get_dynamic_partitions("others")) == []
