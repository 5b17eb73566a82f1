"""Schedule `retention_daily`: starts job `remove_expired` every night if a source does not keep everything."""

from dagster import (
    DefaultScheduleStatus,
    OpExecutionContext,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    job,
    op,
    schedule,
)

from earshot.common.text import pluralize
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import open_database
from ingest_assets.operations import retention
from resources.instance.pool_polling import patient_executor


@op(description="Removes the videos and the audio that the sources of sources.yaml no longer keep.")
def remove_what_expired(context: OpExecutionContext) -> None:
    """Logs what was removed, by number."""
    removed = retention.remove_expired(open_database())
    protected = pluralize(len(removed.protected), "video")
    context.log.info(
        f"Removed {removed.traces}, and the audio of {pluralize(len(removed.audio), 'more video')}. "
        f"{protected} that would have gone, too, had been corrected by hand."
    )


@job(
    executor_def=patient_executor,
    description="Removes what the sources no longer keep, by keep_days, keep_videos and keep_audio_days; "
    "retention_daily starts it.",
)
def remove_expired() -> None:
    remove_what_expired()


@schedule(
    cron_schedule="0 4 * * *",
    job=remove_expired,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Starts `remove_expired` if a source of sources.yaml does not keep everything.",
)
def retention_daily(_context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """Requests a run, unless every source keeps everything."""
    if any(source.keeps for source in watched_sources()):
        return RunRequest()
    return SkipReason("Every source keeps everything.")
