"""Alerts: failed checks, told to whoever should know, once.

Every failed check is a row of `check_failures`. `send_alerts()` takes those that nobody has dealt with, oldest first: a log
line for each and, where EARSHOT_ALERT_URL is set, a POST of JSON (its key `text` is what Slack and Mattermost show). The same
stage with the same cause stays quiet for EARSHOT_ALERT_QUIET_HOURS afterwards, unless a warning has become an error. A row is
marked only once its alert was accepted; what the other side refused is offered again at the next call, so that nothing is lost.
"""

import json
import logging
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from resources.database import Database
from resources.errors import AlertRefused
from resources.settings import Settings

TIMEOUT_S = 10
# Told per call; the rest follows at the next. Bounds how long a slow receiver can hold the sensor.
MOST_AT_ONCE = 50

log = logging.getLogger("earshot.alerts")


@dataclass(frozen=True)
class CheckFailure:
    """A row of `check_failures`; `title` is the video's, None where it is no longer known."""

    failure_id: int
    recorded_at: datetime
    video_id: str
    title: str | None
    asset: str
    check_name: str
    severity: str
    cause: str
    message: str
    run_id: str


@dataclass(frozen=True)
class Told:
    """The last failure of a stage and cause that was told: how bad, and from when."""

    severity: str
    at: datetime


def quiet(failure: CheckFailure, told: Told | None, quiet_hours: float) -> bool:
    """Whether this failure was told already, in effect: same stage and cause, not long ago, no worse now."""
    if told is None or failure.recorded_at - told.at >= timedelta(hours=quiet_hours):
        return False
    return told.severity == "error" or failure.severity == "warn"


def send_alerts(database: Database, settings: Settings) -> list[CheckFailure]:
    """Deal with what is pending; returns what was told. Raises AlertRefused where the receiver does not accept."""
    sent = []
    for failure in _pending(database):
        if quiet(failure, _last_told(database, failure), settings.alert_quiet_hours):
            _mark(database, failure, "quiet")
            continue
        if settings.alert_url:
            _post(settings.alert_url, failure)
        log.warning("%s: %s [%s, run %s]", failure.severity.upper(), failure.message, failure.video_id, failure.run_id)
        _mark(database, failure, "sent")
        sent.append(failure)
    return sent


def _pending(database: Database) -> list[CheckFailure]:
    rows = database.query(
        "SELECT failure_id, recorded_at, video_id, title, asset, check_name, severity, cause, message, run_id "
        "FROM check_failures LEFT JOIN videos USING (video_id) WHERE alert IS NULL ORDER BY failure_id LIMIT %s",
        [MOST_AT_ONCE],
    )
    return [CheckFailure(**row) for row in rows]


def _last_told(database: Database, failure: CheckFailure) -> Told | None:
    rows = database.query(
        "SELECT severity, recorded_at AS at FROM check_failures WHERE alert = 'sent' AND asset = %s AND cause = %s "
        "ORDER BY failure_id DESC LIMIT 1",
        [failure.asset, failure.cause],
    )
    return Told(**rows[0]) if rows else None


def _mark(database: Database, failure: CheckFailure, alert: str) -> None:
    database.query(
        "UPDATE check_failures SET alert = %s, alerted_at = now() WHERE failure_id = %s", [alert, failure.failure_id]
    )


def _post(url: str, failure: CheckFailure) -> None:
    name = failure.title or failure.video_id
    text = f"Earshot {failure.severity}: {failure.message} ({name})"
    document = {"text": text, **asdict(failure), "recorded_at": failure.recorded_at.isoformat()}
    request = urllib.request.Request(
        url, data=json.dumps(document).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise AlertRefused(
            f"The alert of {failure.asset} was not accepted by EARSHOT_ALERT_URL: {error}.", "It is offered again."
        ) from error
