"""Dagster's private names that the rest of Earshot uses: they are imported from here alone, so that an upgrade has one list.

Each has no public twin in Dagster 1.13.27. What is public (`from dagster import ...`) does not belong here; what subclasses or
replaces something of Dagster's is a module of its own beside this one. ruff (TID251) holds the rule, and
tests/dagster_contract/test_dagster_internals.py what each name must do.
"""

# The stages of a backfill, by asset: Dagster's public request for a backfill takes the same partitions for all assets.
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset as AssetGraphSubset

# The statuses in which a backfill has ended.
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES as BULK_ACTION_TERMINAL_STATUSES

# Which backfills `DagsterInstance.get_backfills()`, which is public, returns.
from dagster._core.execution.backfill import BulkActionsFilter as BulkActionsFilter

# The status of a backfill, to read it and to stop it.
from dagster._core.execution.backfill import BulkActionStatus as BulkActionStatus

# What `DagsterInstance.add_backfill()` takes and `get_backfill()` returns; both are public, their type is not.
from dagster._core.execution.backfill import PartitionBackfill as PartitionBackfill

# The tag of a run that names its backfill.
from dagster._core.storage.tags import BACKFILL_ID_TAG as BACKFILL_ID_TAG

# The tag of a run by which the queue is sorted.
from dagster._core.storage.tags import PRIORITY_TAG as PRIORITY_TAG

# The tag that lets a run be retried although one of its steps failed (dagster.yaml forbids it otherwise).
from dagster._core.storage.tags import RETRY_ON_ASSET_OR_OP_FAILURE_TAG as RETRY_ON_ASSET_OR_OP_FAILURE_TAG

# The tag of a failed run that says whether Dagster will try it again.
from dagster._core.storage.tags import WILL_RETRY_TAG as WILL_RETRY_TAG

# The id of a backfill, in the form that the UI expects.
from dagster._core.utils import make_new_backfill_id as make_new_backfill_id

# The id of a run, needed before the run exists: its lock is taken first.
from dagster._core.utils import make_new_run_id as make_new_run_id

# What dagster-celery sends a worker: it names the run.
from dagster._grpc.types import ExecuteRunArgs as ExecuteRunArgs

# Reads what dagster-celery packed; the public `deserialize_value()` takes text only.
from dagster._serdes import unpack_value as unpack_value

# Hold an interrupt of a run back until the end of a block, and look whether there was one.
from dagster._utils.interrupts import capture_interrupts as capture_interrupts
from dagster._utils.interrupts import check_captured_interrupt as check_captured_interrupt

# An error as Dagster keeps it in events and backfills.
from dagster_shared.error import SerializableErrorInfo as SerializableErrorInfo
