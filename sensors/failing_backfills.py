"""Sensor `failing_backfills`: stops a backfill whose runs all fail for the same reason, and says why; and says what a failed
one left undone.

It stops one if the first five runs, or later twenty in a row, failed for one reason: the others would fail, too. A reason is
the stage and the class of its error. The backfill fails with the last run's message, in the UI and in `earshot backfill
--watch`; finished videos stay, and the next backfill of stale stages continues from there. Videos that lack a stage's inputs
(removed ones, say, in a backfill of everything from the UI) have reasons of their own and stop nothing.

Dagster calls a backfill failed if a single run failed. Its title then says how many videos failed, and for which reasons, once.
"""

from collections.abc import Sequence

from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRecord,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from earshot.common.errors import StageMissing
from earshot.common.text import pluralize
from earshot.storage.database import Database, open_database
from earshot.storage.locks import PARTITION_TAG
from resources.instance.dagster_internals import (
    BACKFILL_ID_TAG,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
    SerializableErrorInfo,
)

RECENT = 10  # failed backfills whose titles are looked after
OUTCOME_TAG = "earshot/outcome"
FIRST, LATER = 5, 20  # failures that stop a backfill: from its start, or in a row later
ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]


@sensor(
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Stops a backfill whose videos all fail for the same reason, and says in a failed one's title what failed.",
)
def failing_backfills(context: SensorEvaluationContext) -> SkipReason:
    """Stops backfills that fail on every video."""
    active = context.instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    stopped = [backfill.backfill_id for backfill in active if stop_if_failing(context.instance, backfill)]
    failed = context.instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.COMPLETED_FAILED]), limit=RECENT)
    told = [title for backfill in failed if (title := entitle(context.instance, open_database(), backfill))]
    if stopped or told:
        return SkipReason(" ".join([f"Stopped {', '.join(stopped)}."] * bool(stopped) + told))
    return SkipReason(f"No backfill fails on every video; {pluralize(len(active), 'backfill')} at work.")


def stop_if_failing(instance: DagsterInstance, backfill: PartitionBackfill) -> bool:
    """Fail the backfill if its last runs all failed for one reason. Returns whether it did."""
    records = instance.get_run_records(
        RunsFilter(tags={BACKFILL_ID_TAG: backfill.backfill_id}, statuses=ENDED), limit=LATER, order_by="update_timestamp"
    )
    failed = _latest_failures(records)
    if len(failed) < (FIRST if len(failed) == len(records) else LATER):
        return False
    reasons = [_reason(instance, record.dagster_run.run_id) for record in failed]
    kinds = {(stage, kind) for stage, kind, _ in reasons}
    if len(kinds) > 1 or any(kind == StageMissing.__name__ for _, kind in kinds):
        return False
    stage, _, last_message = reasons[0]
    message = f"Stopped: the last {len(failed)} videos failed for one reason, at {stage}. The last of them: {last_message}"
    instance.update_backfill(
        backfill.with_status(BulkActionStatus.FAILING).with_error(SerializableErrorInfo(message, [], None))
    )
    return True


def entitle(instance: DagsterInstance, database: Database, backfill: PartitionBackfill) -> str:
    """Say in the title of a failed backfill how many videos failed, and why; returns the title, "" if it said so before."""
    if OUTCOME_TAG in backfill.tags or backfill.error is not None:
        return ""
    failed = failed_videos(instance, backfill.backfill_id)
    rows = database.query(
        "SELECT state, count(*) AS videos FROM videos WHERE video_id = ANY(%s) GROUP BY 1 ORDER BY 2 DESC, 1", [list(failed)]
    )
    reasons = ", ".join(f"{row['videos']} {row['state'].replace('_', ' ')}" for row in rows)
    outcome = f"{pluralize(len(failed), 'video')} failed{reasons and f' ({reasons})'}, see `earshot videos`"
    title = f"{backfill.title}: {outcome}" if backfill.title else outcome
    instance.update_backfill(backfill._replace(title=title, tags={**backfill.tags, OUTCOME_TAG: "told"}))
    return f"{backfill.backfill_id}: {title}."


def failed_videos(instance: DagsterInstance, backfill_id: str) -> set[str]:
    """The videos with a failed run that no retry made good."""
    last: dict[str, DagsterRunStatus] = {}
    for run in instance.get_runs(RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}, statuses=ENDED)):  # newest first
        last.setdefault(run.tags.get(PARTITION_TAG, ""), run.status)
    return {video_id for video_id, status in last.items() if status == DagsterRunStatus.FAILURE}


def _latest_failures(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that failed since the last success, newest first."""
    failed = []
    for record in records:
        if record.dagster_run.status != DagsterRunStatus.FAILURE:
            break
        failed.append(record)
    return failed


def _reason(instance: DagsterInstance, run_id: str) -> tuple[str, str, str]:
    """The stage that failed, the class of its error, and the message; for a process that died, placeholders."""
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None:
            kind = data.user_failure_data.metadata["error"].value
            return str(event.step_key), str(kind), str(data.user_failure_data.description)
        error = data.error.cause or data.error if data.error else None
        return str(event.step_key), str(error.cls_name if error else ""), error.message.strip() if error else ""
    return "its start", "", "the process ended without a word."
