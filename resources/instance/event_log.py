"""Dagster's event log in a large library: what Dagster's pages ask every few seconds is answered from what is newest.

Of dagster-postgres' event log three answers are others here, since with 100,000 videos no page with an asset was ever complete:

- The state of checks: Dagster adds one partition after another to a set that it copies each time, looks each up in the
  database, and sends the keys of all. Here the newest WINDOW partitions of each check are told, which in a library of so few
  videos are all of them. In a larger one the Checks tab counts the older ones as missing; what a check found in one of them is
  on that partition's page as ever, and Earshot's own records have every failure.
- The last execution of a check: by an index that there is, instead of reading all executions of all checks.
- The list of partitions: read again only where it is another one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import AssetCheckKey, DynamicPartitionsDefinition, PartitionsDefinition
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance.types import CachingDynamicPartitionsLoader
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
)
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text

if TYPE_CHECKING:
    from dagster._core.event_api import PartitionKeyFilter

WINDOW = 500

# The newest that were evaluated, and the newest that are planned: of each partition the newest of these. Two walks along an
# index; Dagster's own query reads every row of the check.
_NEWEST = text("""
    WITH newest AS (
        (SELECT * FROM asset_check_executions
        WHERE asset_key = :asset AND check_name = :check AND materialization_event_storage_id IS NOT NULL
        ORDER BY materialization_event_storage_id DESC LIMIT :window)
        UNION ALL
        (SELECT * FROM asset_check_executions
        WHERE asset_key = :asset AND check_name = :check AND materialization_event_storage_id IS NULL
        ORDER BY id DESC LIMIT :window)
    )
    SELECT DISTINCT ON (partition) partition, execution_status, run_id, evaluation_event_storage_id,
        materialization_event_storage_id, (
            SELECT max(e.id) FROM event_logs e WHERE e.asset_key = :asset
            AND e.dagster_event_type = 'ASSET_MATERIALIZATION' AND e.partition = newest.partition
        ) AS latest_materialization_storage_id
    FROM newest WHERE evaluation_event_storage_id IS NOT NULL AND partition IS NOT NULL ORDER BY partition, id DESC
""")
# The same two walks, of one row each.
_LAST = text("""
    SELECT * FROM asset_check_executions WHERE id = greatest(
        (SELECT id FROM asset_check_executions
        WHERE asset_key = :asset AND check_name = :check AND materialization_event_storage_id IS NOT NULL
        ORDER BY materialization_event_storage_id DESC LIMIT 1),
        (SELECT max(id) FROM asset_check_executions
        WHERE asset_key = :asset AND check_name = :check AND materialization_event_storage_id IS NULL)
    )
""")
# Numbers only grow: with none added and none removed it is the same list.
_PARTITIONS = text("SELECT count(*) AS count, max(id) AS last FROM dynamic_partitions WHERE partitions_def_name = :name")


class EarshotEventLog(PostgresEventLogStorage):
    """dagster-postgres' event log with these answers."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._partitions: dict[str, tuple[tuple[Any, ...], Sequence[str]]] = {}  # by name, and of which state they are

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """All partitions, in the order in which they came."""
        with self.index_connection() as connection:
            state = tuple(connection.execute(_PARTITIONS, {"name": partitions_def_name}).one())
        known = self._partitions.get(partitions_def_name)
        if known is None or known[0] != state:
            known = self._partitions[partitions_def_name] = (state, super().get_dynamic_partitions(partitions_def_name))
        return list(known[1])

    def get_latest_asset_check_execution_by_key(
        self, check_keys: Sequence[AssetCheckKey], partition_filter: "PartitionKeyFilter | None" = None
    ) -> Mapping[AssetCheckKey, AssetCheckExecutionRecord]:
        """The last execution of each check, in whatever partition; of a certain partition as Dagster has it."""
        if partition_filter is not None:
            return super().get_latest_asset_check_execution_by_key(check_keys, partition_filter)
        found = {}
        with self.index_connection() as connection:
            for key in check_keys:
                asked = {"asset": key.asset_key.to_string(), "check": key.name}
                for row in connection.execute(_LAST, asked).mappings():
                    found[key] = AssetCheckExecutionRecord.from_db_row(row, key=key)
        return found

    def get_asset_check_state(
        self, keys: Sequence[tuple[AssetCheckKey, PartitionsDefinition | None]]
    ) -> Mapping[AssetCheckKey, AssetCheckState]:
        """As Dagster has it, of the newest partitions; which of them still exist is looked up for all at once."""
        known = CachingDynamicPartitionsLoader(self._instance)
        for key, partitions in keys:
            if isinstance(partitions, DynamicPartitionsDefinition) and partitions.name:
                newest = [str(row["partition"]) for row in self._newest(key)]
                known.get_existing_dynamic_partitions(partitions.name, newest)
        with partition_loading_context(dynamic_partitions_store=known):
            return super().get_asset_check_state(keys)

    def get_asset_check_partition_info(
        self,
        keys: Sequence[AssetCheckKey],
        after_storage_id: int | None = None,
        partition_keys: Sequence[str] | None = None,
    ) -> Sequence[AssetCheckPartitionInfo]:
        """As Dagster has it; where no partitions are named and nothing is known so far, of the newest."""
        if partition_keys is not None or after_storage_id:
            return super().get_asset_check_partition_info(keys, after_storage_id, partition_keys)
        return [_info(key, row) for key in keys for row in self._newest(key)]

    def _newest(self, key: AssetCheckKey) -> Sequence[Mapping[str, Any]]:
        asked = {"asset": key.asset_key.to_string(), "check": key.name, "window": WINDOW}
        with self.index_connection() as connection:
            return [dict(row) for row in connection.execute(_NEWEST, asked).mappings()]


def _info(key: AssetCheckKey, row: Mapping[str, Any]) -> AssetCheckPartitionInfo:
    return AssetCheckPartitionInfo(
        check_key=key,
        partition_key=row["partition"],
        latest_execution_status=AssetCheckExecutionRecordStatus(row["execution_status"]),
        latest_planned_run_id=row["run_id"],
        latest_check_event_storage_id=row["evaluation_event_storage_id"],
        latest_materialization_storage_id=row["latest_materialization_storage_id"],
        latest_target_materialization_storage_id=row["materialization_event_storage_id"],
    )
