"""Alerts: failed checks and troubles, told to whoever should know, once.

Every failed check is a row of `check_failures`. `send_alerts()` takes those that nobody has dealt with, oldest first: a log
line for each and, where EARSHOT_ALERT_URL is set, a POST of JSON (its key `text` is what Slack and Mattermost show). The same
stage with the same cause stays quiet for EARSHOT_ALERT_QUIET_HOURS afterwards, unless a warning has become an error. A row is
marked only once its alert was accepted; what the other side refused is offered again at the next call, so that nothing is lost.

`send_troubles()` does the same with what does not work at all (earshot/sources/troubles.py): in the same form, what a trouble
does not have (stage, run) as null. What of them was told, and when, the sensor keeps in its cursor.
"""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from earshot.common.errors import AlertRefused
from earshot.config.settings import Settings
from earshot.sources.troubles import Trouble
from earshot.storage.database import Database

TIMEOUT_S = 10
# Told per call; the rest follows at the next. Bounds how long a slow receiver can hold the sensor.
MAX_AT_ONCE = 50

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
class LastAlert:
    """A failure of a stage and cause, or a trouble, that is told or was: how bad, and from when."""

    severity: str
    at: datetime


def is_muted(now: LastAlert, told: LastAlert | None, quiet_hours: float) -> bool:
    """Whether this was told already, in effect: the last of its kind not long ago, and no worse now."""
    if told is None or now.at - told.at >= timedelta(hours=quiet_hours):
        return False
    return told.severity == "error" or now.severity == "warn"


def send_alerts(database: Database, settings: Settings) -> list[CheckFailure]:
    """Deal with what is pending; returns what was told. Raises AlertRefused where the receiver does not accept."""
    sent = []
    for failure in _pending(database):
        now = LastAlert(failure.severity, failure.recorded_at)
        if is_muted(now, _last_told(database, failure), settings.alert_quiet_hours):
            _mark(database, failure, "quiet")
            continue
        name = failure.title or failure.video_id
        _post(settings, asdict(failure), f"Earshot {failure.severity}: {failure.message} ({name})")
        log.warning("%s: %s [%s, run %s]", failure.severity.upper(), failure.message, failure.video_id, failure.run_id)
        _mark(database, failure, "sent")
        sent.append(failure)
    return sent


def send_troubles(troubles: Sequence[Trouble], told: dict[str, LastAlert], settings: Settings) -> list[Trouble]:
    """Deal with what does not work now; returns what was told, and enters it in `told`, by the troubles' keys.

    Raises AlertRefused where the receiver does not accept; what it had accepted by then is entered.
    """
    sent = []
    for trouble in troubles:
        now = LastAlert(trouble.severity, datetime.now(UTC))
        if is_muted(now, told.get(trouble.key), settings.alert_quiet_hours):
            continue
        document: dict[str, Any] = dict.fromkeys(field.name for field in fields(CheckFailure))
        document |= {"recorded_at": now.at, "title": trouble.about, "severity": trouble.severity}
        document |= {"cause": trouble.cause, "message": trouble.message}
        _post(settings, document, f"Earshot {trouble.severity}: {trouble.message}")
        log.warning("%s", trouble)
        told[trouble.key] = now
        sent.append(trouble)
    return sent


def read_last_alerts(cursor: str | None) -> dict[str, LastAlert]:
    """What `write_last_alerts()` wrote."""
    kept = json.loads(cursor or "{}")
    return {key: LastAlert(severity, datetime.fromisoformat(at)) for key, (severity, at) in kept.items()}


def write_last_alerts(told: Mapping[str, LastAlert]) -> str:
    """The troubles that were told, for a sensor's cursor."""
    return json.dumps({key: (one.severity, one.at.isoformat()) for key, one in told.items()})


def _pending(database: Database) -> list[CheckFailure]:
    rows = database.query(
        "SELECT failure_id, recorded_at, video_id, title, asset, check_name, severity, cause, message, run_id "
        "FROM check_failures LEFT JOIN videos USING (video_id) WHERE alert IS NULL ORDER BY failure_id LIMIT %s",
        [MAX_AT_ONCE],
    )
    return [CheckFailure(**row) for row in rows]


def _last_told(database: Database, failure: CheckFailure) -> LastAlert | None:
    rows = database.query(
        "SELECT severity, recorded_at AS at FROM check_failures WHERE alert = 'sent' AND asset = %s AND cause = %s "
        "ORDER BY failure_id DESC LIMIT 1",
        [failure.asset, failure.cause],
    )
    return LastAlert(**rows[0]) if rows else None


def _mark(database: Database, failure: CheckFailure, alert: str) -> None:
    database.query(
        "UPDATE check_failures SET alert = %s, alerted_at = now() WHERE failure_id = %s", [alert, failure.failure_id]
    )


def _post(settings: Settings, document: Mapping[str, Any], text: str) -> None:
    """Send it to EARSHOT_ALERT_URL, where that is set."""
    if settings.alert_url is None:
        return
    told = {"text": text, **document, "recorded_at": document["recorded_at"].isoformat()}
    request = urllib.request.Request(
        settings.alert_url, data=json.dumps(told).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        about = document["asset"] or document["title"]
        raise AlertRefused(
            f"The alert of {about} was not accepted by EARSHOT_ALERT_URL: {error}.", "It is offered again."
        ) from error
