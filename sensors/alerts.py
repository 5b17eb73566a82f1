"""Sensor `alerts`: reports failed checks and warnings, which do not fail a run, and troubles with sources.

earshot/timings/alerts.py decides what is sent, where and how often. If the receiver refuses,
later ticks retry.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from earshot.common.errors import AlertRefused
from earshot.config.settings import read_settings
from earshot.sources.troubles import read_troubles
from earshot.storage.database import open_database
from earshot.timings.alerts import read_last_alerts, send_alerts, send_troubles, write_last_alerts


@sensor(
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Posts slow stages, sources that cannot be read and failed videos to EARSHOT_ALERT_URL, each once.",
)
def alerts(context: SensorEvaluationContext) -> SkipReason:
    """Sends one alert per stage and cause of failed checks, and per trouble; repeats them after the quiet hours."""
    database, settings, last_alerts = open_database(), read_settings(), read_last_alerts(context.cursor)
    try:
        sent = [
            *send_alerts(database, settings),
            *send_troubles(database, read_troubles(database).current, last_alerts, settings),
        ]
    except AlertRefused as refused:
        context.log.warning(str(refused))
        return SkipReason(str(refused))
    finally:
        context.update_cursor(write_last_alerts(last_alerts))
    messages = "; ".join(alert.message for alert in sent)
    return SkipReason(f"Sent {len(sent)}: {messages}" if sent else "No new alerts.")
