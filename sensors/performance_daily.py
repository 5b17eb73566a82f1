"""Schedule `performance_daily`: makes a performance report every day at 06:00 UTC."""

from dagster import DefaultScheduleStatus, ScheduleDefinition

from ingest_assets.assets.performance import performance

performance_daily = ScheduleDefinition(
    name="performance_daily",
    target=performance,
    cron_schedule="0 6 * * *",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Materializes `performance`.",
)
