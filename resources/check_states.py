"""Dagster's event log, in which the state of a check is read of its newest partitions only.

Every page that shows an asset asks, every few seconds, for the state of each of its checks in each partition. Dagster adds one
partition after another to a set that it copies each time, looks each up in the database, and sends the keys of all of them:
with 100,000 videos no such page is ever complete, and the webserver takes gigabytes. Here the newest WINDOW partitions of each
check are told, which in a library of so few videos are all of them. In a larger one the Checks tab counts the older ones as
missing; what a check found in one of them is on that partition's page as ever, and Earshot's own records have every failure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetCheckKey, DynamicPartitionsDefinition, PartitionsDefinition
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance.types import CachingDynamicPartitionsLoader
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus, AssetCheckPartitionInfo
from dagster._core.storage.asset_check_state import AssetCheckState
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text

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


class NewestCheckStates(PostgresEventLogStorage):
    """dagster-postgres' event log with this one answer bounded."""

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
