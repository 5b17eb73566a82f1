"""Sensor `alerts`: checks that failed, warnings included, which no run failure ever shows, and sources that do not work.

What is told, to whom and how often says earshot/timings/alerts.py. A receiver that refuses is tried again at the next tick.
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
    """Tells failed checks once per stage and cause, and each trouble once, then again after the quiet hours."""
    database, settings, told = open_database(), read_settings(), read_last_alerts(context.cursor)
    try:
        sent = [*send_alerts(database, settings), *send_troubles(read_troubles(database), told, settings)]
    except AlertRefused as refused:
        context.log.warning(str(refused))
        return SkipReason(str(refused))
    finally:
        context.update_cursor(write_last_alerts(told))
    messages = "; ".join(one.message for one in sent)
    return SkipReason(f"Told {len(sent)}: {messages}" if sent else "Nothing is wrong that was not told before.")
