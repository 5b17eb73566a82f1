"""Dagster's private names that only tests need, and tests outside this folder take from here."""

# What a check found, as the event log's history has it.
# Raised by a run that asked to be retried too often.
from dagster._core.errors import DagsterMaxRetriesExceededError as DagsterMaxRetriesExceededError
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord as AssetCheckExecutionRecord

# The tag of a run that says how often Dagster may retry it.
from dagster._core.storage.tags import MAX_RETRIES_TAG as MAX_RETRIES_TAG
