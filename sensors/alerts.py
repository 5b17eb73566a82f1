"""Sensor `alerts`: checks that failed are told, warnings included, which no run failure ever shows.

What is told, to whom and how often says ingest_assets/alerts.py. A receiver that refuses is tried again at the next tick.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from ingest_assets.alerts import send_alerts
from resources.database import open_database
from resources.errors import AlertRefused
from resources.settings import read_settings


@sensor(minimum_interval_seconds=30, default_status=DefaultSensorStatus.RUNNING)
def alerts(context: SensorEvaluationContext) -> SkipReason:
    """Tells failed checks, once per stage and cause."""
    try:
        sent = send_alerts(open_database(), read_settings())
    except AlertRefused as refused:
        context.log.warning(str(refused))
        return SkipReason(str(refused))
    told = "; ".join(failure.message for failure in sent)
    return SkipReason(f"Told {len(sent)} failed checks: {told}" if sent else "No check has failed since the last look.")
