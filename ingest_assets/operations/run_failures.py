"""Why a run that was executed in this process failed: a stage, or something before, between or after the stages.

Dagster keeps an error as text. `failure_of()` reads it back: Earshot's own error with its class, or the message of any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dagster import DagsterEvent, DagsterEventType, DagsterExecutionInterruptedError, ExecuteInProcessResult

from earshot.common import errors
from earshot.common.errors import DiskFull, EarshotError
from earshot.storage.full_disk import WORDS, disk_full
from resources.instance.dagster_internals import SerializableErrorInfo

INTERRUPTIONS = (DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)


@dataclass(frozen=True)
class RunFailure:
    """`message` for the user; `kind` is the class of Earshot's error, None where Earshot cannot explain it."""

    message: str
    kind: type[EarshotError] | None = None
    interrupted: bool = False


def failure_of(result: ExecuteInProcessResult) -> RunFailure:
    """What ended this run, which was no success."""
    event = next((event for event in result.all_events if event.is_step_failure), None)
    event = event or next((event for event in result.all_events if event.is_job_failure), None)
    if event is None:
        canceled = any(event.event_type == DagsterEventType.RUN_CANCELED for event in result.all_events)
        return RunFailure(f"The run {result.run_id} ended, and left no error.", interrupted=canceled)
    return _raised_by_stage(event) or _raised_elsewhere(event)


def _raised_by_stage(event: DagsterEvent) -> RunFailure | None:
    """What ingest_assets/stages/stage.py made a Failure of."""
    data = event.step_failure_data.user_failure_data if event.is_step_failure else None
    if data is None:
        return None
    kind = data.metadata.get("error")
    return RunFailure(str(data.description), _class(str(kind.value)) if kind else None)


def _raised_elsewhere(event: DagsterEvent) -> RunFailure:
    data: Any = event.event_specific_data
    told = list(_chain(data.error))
    if any(error.cls_name in INTERRUPTIONS for error in told):
        return RunFailure("Interrupted.", interrupted=True)
    known = next((error for error in told if _class(error.cls_name or "")), None)
    if known is not None:
        return RunFailure(_words(known), _class(known.cls_name or ""))
    if full := next((error for error in told if WORDS in error.message), None):
        return RunFailure(str(disk_full(_words(full))), DiskFull)
    cause = told[1] if told[1:] else told[0] if told else None
    return RunFailure(f"{event.step_key or 'the run'}: {_words(cause) if cause else event.message}")


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _class(name: str) -> type[EarshotError] | None:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, EarshotError) else None


def _words(error: SerializableErrorInfo) -> str:
    """The message without the name of its class in front, where that is Earshot's own."""
    words = error.message.strip()
    return words.partition(": ")[2] if _class(error.cls_name or "") else words
