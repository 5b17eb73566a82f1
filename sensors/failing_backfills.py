"""Sensor `failing_backfills`: stops a backfill whose runs all fail for the same reason, and says why; and says what a failed
one left undone.

It stops one if the first five runs, or later twenty in a row, failed for one reason: the others would fail, too. A reason is
the stage and the class of its error. The backfill fails with the last run's message, in the UI and in `earshot backfill
--watch`; finished videos stay, and the next backfill of stale stages continues from there. Videos that lack a stage's inputs
(removed ones, say, in a backfill of everything from the UI) have reasons of their own and stop nothing.

Dagster calls a backfill failed if a single run failed. A tag then says how many videos failed, in the list of runs, and its
error says which, and why: *View error* on its page. Dagster shows the title of a backfill nowhere.
"""

from collections import Counter
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
from earshot.storage.catalog.videos import PERMANENT_STATES
from earshot.storage.database import Database, open_database
from earshot.storage.locks import PARTITION_TAG
from resources.instance.dagster_internals import (
    BACKFILL_ID_TAG,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
    SerializableErrorInfo,
)

RECENT = 10  # failed backfills that are looked after
SHOWN = 20  # failed videos whose reasons the error names
OUTCOME_TAG = "earshot/outcome"
FIRST, LATER = 5, 20  # failures that stop a backfill: from its start, or in a row later
ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]


@sensor(
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Stops a backfill whose videos all fail for the same reason, and says on a failed one's page what failed.",
)
def failing_backfills(context: SensorEvaluationContext) -> SkipReason:
    """Stops backfills that fail on every video."""
    active = context.instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    stopped = [backfill.backfill_id for backfill in active if stop_if_failing(context.instance, backfill)]
    failed = context.instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.COMPLETED_FAILED]), limit=RECENT)
    told = [outcome for backfill in failed if (outcome := tell_outcome(context.instance, open_database(), backfill))]
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


def tell_outcome(instance: DagsterInstance, database: Database, backfill: PartitionBackfill) -> str:
    """Say on the page of a failed backfill which videos failed, and why; returns how many, "" if it said so before."""
    if OUTCOME_TAG in backfill.tags or backfill.error is not None:
        return ""
    ended = last_statuses(instance, backfill.backfill_id)
    failed = [video_id for video_id, status in ended.items() if status == DagsterRunStatus.FAILURE]
    rows = database.query(
        "SELECT video_id, state, last_error FROM videos WHERE video_id = ANY(%s) ORDER BY state, video_id", [failed]
    )
    states = Counter(row["state"].replace("_", " ") for row in rows if row["state"] in PERMANENT_STATES)
    kinds = ", ".join(f"{videos} {state}" for state, videos in states.most_common())
    outcome = f"{len(failed)} of {pluralize(len(ended), 'video')} failed{kinds and f' ({kinds})'}"
    reasons = [f"{row['video_id']}: {row['last_error']}" for row in rows if row["last_error"]]
    done = f"{outcome}; {len(ended) - len(failed)} done. See `earshot videos`."
    message = "\n\n".join([done, *reasons[:SHOWN], *["..."] * (len(reasons) > SHOWN)])
    told = backfill.with_error(SerializableErrorInfo(message, [], None))
    instance.update_backfill(told._replace(tags={**backfill.tags, OUTCOME_TAG: outcome}))
    return f"{backfill.backfill_id}: {outcome}."


def last_statuses(instance: DagsterInstance, backfill_id: str) -> dict[str, DagsterRunStatus]:
    """How the last run of each video ended: a retry may have made a failed one good."""
    last: dict[str, DagsterRunStatus] = {}
    for run in instance.get_runs(RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}, statuses=ENDED)):  # newest first
        last.setdefault(run.tags.get(PARTITION_TAG, ""), run.status)
    return last


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
