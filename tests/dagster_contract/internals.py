"""Dagster's private names that only tests need. Tests outside this folder import them from here."""

# Raised by a run that requested too many retries.
from dagster._core.errors import DagsterMaxRetriesExceededError as DagsterMaxRetriesExceededError

# What a check found, in the history of the event log.
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord as AssetCheckExecutionRecord

# The tag of a run that says how often Dagster may retry it.
from dagster._core.storage.tags import MAX_RETRIES_TAG as MAX_RETRIES_TAG
