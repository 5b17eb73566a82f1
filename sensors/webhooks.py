"""Sensor `webhooks`: posts events of videos and people to the endpoints of webhooks.yaml.

Database triggers keep the events (earshot/integrations/webhooks/log.py). The sensor tells the database which endpoints there
are, so an endpoint gets the events since its first tick. Which process made an event does not matter: a worker needs no
webhooks.yaml.
"""

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor

from earshot.common.errors import Misconfigured
from earshot.config.settings import read_settings
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import read_endpoints
from earshot.integrations.webhooks.log import prune, write_endpoints
from earshot.storage.database import open_database


@sensor(
    minimum_interval_seconds=10,
    default_status=DefaultSensorStatus.RUNNING,
    description="Posts what happens to videos and people to the endpoints of webhooks.yaml, until it is accepted.",
)
def webhooks(context: SensorEvaluationContext) -> SkipReason:
    """Posts what is due; does nothing while webhooks.yaml is invalid."""
    database, settings = open_database(), read_settings()
    try:
        endpoints = read_endpoints(settings.webhooks)
    except Misconfigured as error:
        context.log.warning(str(error))
        return SkipReason(f"Nothing is posted until webhooks.yaml is corrected. {error}")
    write_endpoints(database, {endpoint.name: endpoint.events for endpoint in endpoints})
    prune(database)
    attempts = deliver(database, settings.home, endpoints)
    if not attempts:
        return SkipReason("Nothing to post." if endpoints else "There are no endpoints.")
    refused = [f"{attempt.endpoint}: {attempt.error}" for attempt in attempts if attempt.error is not None]
    return SkipReason("; ".join((f"Delivered {len(attempts) - len(refused)} of {len(attempts)}", *refused)))
