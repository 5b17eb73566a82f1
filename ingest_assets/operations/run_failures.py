"""Finds out why a run in this process failed: in a stage, or before, between or after the stages.

Dagster stores errors as text. `failure_of()` restores the class of Earshot's errors, and the message of any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from dagster import DagsterEvent, DagsterEventType, DagsterExecutionInterruptedError, ExecuteInProcessResult

from earshot.common import errors
from earshot.common.errors import DiskFull, EarshotError, Misconfigured
from earshot.storage.full_disk import WORDS, disk_full
from resources.instance.dagster_internals import SerializableErrorInfo

# The configuration of runs in this process: they log nothing to the console; their events are in the instance.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

# Of both drivers, as earshot/storage/outages.py tells them.
LOST = ("OperationalError", "InterfaceError")
INTERRUPTIONS = (DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)


@dataclass(frozen=True)
class RunFailure:
    """`message` is for the user; `kind` is the class of Earshot's error, None for any other error.

    `outage`: a statement was lost with the database server, so that another run may succeed.
    """

    message: str
    kind: type[EarshotError] | None = None
    interrupted: bool = False
    outage: bool = False


def failure_of(result: ExecuteInProcessResult) -> RunFailure:
    """The failure that ended this unsuccessful run."""
    event = next((event for event in result.all_events if event.is_step_failure), None)
    event = event or next((event for event in result.all_events if event.is_job_failure), None)
    if event is None:
        canceled = any(event.event_type == DagsterEventType.RUN_CANCELED for event in result.all_events)
        return RunFailure(f"The run {result.run_id} ended without an error.", interrupted=canceled)
    return failure_in(event)


def failure_in(event: DagsterEvent) -> RunFailure:
    """The failure that this event of a failed step or job is about."""
    return _raised_by_stage(event) or _raised_elsewhere(event)


def raise_failure(result: ExecuteInProcessResult, consequence: str = "") -> NoReturn:
    """Raise the failure that ended this unsuccessful run, its message after the consequence: as Misconfigured if it is one,
    else as EarshotError; KeyboardInterrupt if the user interrupted, since Dagster turns that into a failed step.
    """
    failure = failure_of(result)
    if failure.interrupted:
        raise KeyboardInterrupt
    error_class = failure.kind if failure.kind and issubclass(failure.kind, Misconfigured) else EarshotError
    raise error_class(f"{consequence}{failure.message}")


def _raised_by_stage(event: DagsterEvent) -> RunFailure | None:
    """The error that ingest_assets/stages/stage.py raised as a Failure."""
    data = event.step_failure_data.user_failure_data if event.is_step_failure else None
    if data is None:
        return None
    kind = data.metadata.get("error")
    return RunFailure(str(data.description), _class(str(kind.value)) if kind else None)


def _raised_elsewhere(event: DagsterEvent) -> RunFailure:
    data: Any = event.event_specific_data
    chain = list(_chain(data.error))
    if any(error.cls_name in INTERRUPTIONS for error in chain):
        return RunFailure("Interrupted.", interrupted=True)
    known = next((error for error in chain if _class(error.cls_name or "")), None)
    if known is not None:
        return RunFailure(_message(known), _class(known.cls_name or ""))
    if full := next((error for error in chain if WORDS in error.message), None):
        return RunFailure(str(disk_full(_message(full))), DiskFull)
    cause = chain[1] if chain[1:] else chain[0] if chain else None
    lost = any(error.cls_name in LOST for error in chain)
    return RunFailure(f"{event.step_key or 'the run'}: {_message(cause) if cause else event.message}", outage=lost)


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _class(name: str) -> type[EarshotError] | None:
    value = getattr(errors, name, None)
    return value if isinstance(value, type) and issubclass(value, EarshotError) else None


def _message(error: SerializableErrorInfo) -> str:
    """The message, without the leading class name for Earshot's own errors."""
    message = error.message.strip()
    return message.partition(": ")[2] if _class(error.cls_name or "") else message
