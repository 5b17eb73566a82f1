"""Schedule `performance_daily`: the report is made anew once a day, at six in the morning (UTC)."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from ingest_assets.assets.performance import performance

performance_daily = ScheduleDefinition(
    name="performance_daily",
    target=performance,
    cron_schedule="0 6 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Materializes `performance`.",
)
