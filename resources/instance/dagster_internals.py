"""Dagster's private names that the rest of Earshot uses, imported only here, so that an upgrade has one list to check.

None has a public equivalent in Dagster 1.13.27. Public names (`from dagster import ...`) do not belong here; the modules beside
this one subclass or patch Dagster. ruff (TID251) enforces this, and tests/dagster_contract/test_dagster_internals.py tests what
each name must do.
"""

# A backfill's partitions by asset; Dagster's public request for a backfill takes the same ones for all assets.
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset as AssetGraphSubset

# The statuses of a backfill that has ended.
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES as BULK_ACTION_TERMINAL_STATUSES

# The argument of `DagsterInstance.get_backfills()`, which is public.
from dagster._core.execution.backfill import BulkActionsFilter as BulkActionsFilter

# The status of a backfill, for reading and stopping it.
from dagster._core.execution.backfill import BulkActionStatus as BulkActionStatus

# The type that `DagsterInstance.add_backfill()` takes and `get_backfill()` returns; both are public.
from dagster._core.execution.backfill import PartitionBackfill as PartitionBackfill

# The run tag that names its backfill.
from dagster._core.storage.tags import BACKFILL_ID_TAG as BACKFILL_ID_TAG

# The run tag by which the queue is sorted.
from dagster._core.storage.tags import PRIORITY_TAG as PRIORITY_TAG

# The run tag that allows a retry after a failed step, which dagster.yaml otherwise forbids.
from dagster._core.storage.tags import RETRY_ON_ASSET_OR_OP_FAILURE_TAG as RETRY_ON_ASSET_OR_OP_FAILURE_TAG

# The tag of a failed run that says whether Dagster will retry it.
from dagster._core.storage.tags import WILL_RETRY_TAG as WILL_RETRY_TAG

# Makes a backfill's id, in the form that the UI expects.
from dagster._core.utils import make_new_backfill_id as make_new_backfill_id

# Makes a run's id before the run exists, because its lock is taken first.
from dagster._core.utils import make_new_run_id as make_new_run_id

# The message of dagster-celery to a worker; it names the run.
from dagster._grpc.types import ExecuteRunArgs as ExecuteRunArgs

# Decodes that message; the public `deserialize_value()` takes only text.
from dagster._serdes import unpack_value as unpack_value

# Delay an interrupt of a run until the end of a block, and check whether there was one.
from dagster._utils.interrupts import capture_interrupts as capture_interrupts
from dagster._utils.interrupts import check_captured_interrupt as check_captured_interrupt

# An error as Dagster stores it in events and backfills.
from dagster_shared.error import SerializableErrorInfo as SerializableErrorInfo
