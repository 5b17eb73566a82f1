"""Alerts: reports every failed check and every trouble once.

Every failed check is a row of `check_failures`. `send_alerts()` handles the pending rows, oldest first: it logs a line and, if
EARSHOT_ALERT_URL is set, POSTs JSON (Slack and Mattermost show its key `text`). More failures of the same stage and cause are
muted for EARSHOT_ALERT_QUIET_HOURS, unless a warning has become an error. Posts take the way of webhooks
(earshot/integrations/webhooks/log.py), one after another and unsigned: a refused one is sent again after growing pauses, and
given up after days. A row is marked as sent only after the receiver has accepted it.

`send_troubles()` does the same for whatever does not work at all (earshot/sources/troubles.py), in the same JSON with null for
missing fields (stage, run). The sensor's cursor stores which troubles were sent, and when.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from earshot.common.errors import AlertRefused
from earshot.common.redaction import without_secrets
from earshot.config.home import ui_url
from earshot.config.settings import Settings
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import ALERTS, Endpoint
from earshot.integrations.webhooks.log import queue_alert, states_of
from earshot.sources.troubles import Trouble
from earshot.storage.database import Database
from earshot.timings.causes.remedies import remedy_of

FIGURES = ("audio_s", "wall_s", "load_s", "compute_s", "io_s", "rtf", "x_realtime", "device")
# Failed checks per call; the rest follow at the next.
MAX_AT_ONCE = 50
CHECKS, TROUBLES = "checks", "troubles"  # queues; of each, one alert is posted after another

log = logging.getLogger("earshot.alerts")


@dataclass(frozen=True)
class CheckFailure:
    """A row of `check_failures` with what one needs to act on it.

    `title` and `link` are the video's, None if it was deleted or is no video; the link holds no secret, and is a path if the
    recording is a file. `run_url` opens the run in the UI, None if `earshot up` does not run here. `figures` are those of the
    stage's timing: seconds, x real time, RTF, device. `remedy` says what to do about the cause.
    """

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
    link: str | None
    run_url: str | None
    figures: Mapping[str, float | str]
    remedy: str


@dataclass(frozen=True)
class LastAlert:
    """The severity and time of an alert, for one stage and cause or for one trouble."""

    severity: str
    at: datetime


def is_muted(now: LastAlert, last: LastAlert | None, quiet_hours: float) -> bool:
    """Whether the last alert of this kind was sent less than `quiet_hours` ago and was as severe."""
    if last is None or now.at - last.at >= timedelta(hours=quiet_hours):
        return False
    return last.severity == "error" or now.severity == "warn"


@dataclass(frozen=True)
class _Alert:
    """What is posted. `key` is the same at each try."""

    key: str
    document: Mapping[str, Any]
    text: str

    @property
    def body(self) -> str:
        return json.dumps({"text": self.text, **self.document, "recorded_at": self.document["recorded_at"].isoformat()})


def send_alerts(database: Database, settings: Settings) -> list[CheckFailure]:
    """Send or mute the pending failures; returns those sent. Raises AlertRefused if the receiver does not accept one."""
    loud = _loud(database, settings, _pending(database, settings))
    posted = _post(database, settings, CHECKS, [_Alert(f"check {one.failure_id}", asdict(one), _text(one)) for one in loud])
    sent = []
    for failure, state in zip(loud, posted.states, strict=True):
        if state == "delivered":
            log.warning("%s: %s [%s, run %s]", failure.severity.upper(), failure.message, failure.video_id, failure.run_id)
            sent.append(failure)
        if state != "pending":
            _mark(database, failure, "sent" if state == "delivered" else "given_up")
    posted.raise_if_refused()
    return sent


def send_troubles(
    database: Database, troubles: Sequence[Trouble], alerts: dict[str, LastAlert], settings: Settings
) -> list[Trouble]:
    """Send or mute the current troubles; returns those sent, and records them in `alerts` by their keys.

    Raises AlertRefused if the receiver does not accept one; those accepted before it are recorded.
    """
    at, quiet_hours = datetime.now(UTC), settings.alert_quiet_hours
    loud = [one for one in troubles if not is_muted(LastAlert(one.severity, at), alerts.get(one.key), quiet_hours)]
    posted = _post(database, settings, TROUBLES, [_of_trouble(trouble, at) for trouble in loud])
    sent = [trouble for trouble, state in zip(loud, posted.states, strict=True) if state == "delivered"]
    for trouble in sent:
        log.warning("%s", trouble)
        alerts[trouble.key] = LastAlert(trouble.severity, at)
    posted.raise_if_refused()
    return sent


def _of_trouble(trouble: Trouble, at: datetime) -> _Alert:
    document: dict[str, Any] = dict.fromkeys(field.name for field in fields(CheckFailure))
    document |= {"recorded_at": at, "title": trouble.about, "severity": trouble.severity}
    document |= {"cause": trouble.cause, "message": trouble.message}
    return _Alert(trouble.key, document, f"Earshot {trouble.severity}: {trouble.message}")


def read_last_alerts(cursor: str | None) -> dict[str, LastAlert]:
    """Parses the cursor that `write_last_alerts()` made."""
    alerts = json.loads(cursor or "{}")
    return {key: LastAlert(severity, datetime.fromisoformat(at)) for key, (severity, at) in alerts.items()}


def write_last_alerts(alerts: Mapping[str, LastAlert]) -> str:
    """The troubles that were sent, as a sensor's cursor."""
    return json.dumps({key: (alert.severity, alert.at.isoformat()) for key, alert in alerts.items()})


def _pending(database: Database, settings: Settings) -> list[CheckFailure]:
    rows = database.query(
        f"""
        SELECT failure_id, f.recorded_at, f.video_id, title, asset, check_name, severity, f.cause, message, run_id, url,
            to_jsonb(timing) AS figures
        FROM check_failures f LEFT JOIN videos USING (video_id) LEFT JOIN LATERAL (
            SELECT {", ".join(FIGURES)} FROM asset_timings t
            WHERE (t.video_id, t.asset, t.run_id) = (f.video_id, f.asset, f.run_id)
            ORDER BY timing_id DESC LIMIT 1) timing ON true
        WHERE alert IS NULL ORDER BY failure_id LIMIT %s
        """,  # noqa: S608
        [MAX_AT_ONCE],
    )
    ui = ui_url(settings.home)
    return [_failure(row, ui) for row in rows]


def _failure(row: dict[str, Any], ui: str | None) -> CheckFailure:
    url = row.pop("url")
    return CheckFailure(
        **{**row, "figures": row["figures"] or {}},
        link=url and without_secrets(url),
        run_url=ui and f"{ui}/runs/{row['run_id']}",
        remedy=remedy_of(row["cause"]),
    )


def _text(failure: CheckFailure) -> str:
    """The alert in words: what, in which video, what to do, and where to look."""
    places = " ".join(filter(None, (failure.link, failure.run_url)))
    name = failure.title or failure.video_id
    return f"Earshot {failure.severity}: {failure.message} ({name}) {failure.remedy} {places}".rstrip()


def _loud(database: Database, settings: Settings, failures: Sequence[CheckFailure]) -> list[CheckFailure]:
    """Those that are not muted by one like them, posted or about to be; notes the others as quiet."""
    loud: list[CheckFailure] = []
    last: dict[tuple[str, str], LastAlert] = {}
    for failure in failures:
        now, kind = LastAlert(failure.severity, failure.recorded_at), (failure.asset, failure.cause)
        if is_muted(now, last.get(kind) or _last_sent(database, failure), settings.alert_quiet_hours):
            _mark(database, failure, "quiet")
        else:
            last[kind] = now
            loud.append(failure)
    return loud


def _last_sent(database: Database, failure: CheckFailure) -> LastAlert | None:
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


@dataclass(frozen=True)
class _Posted:
    """The state of each alert's delivery, and why the receiver refused one, None if it did not."""

    states: Sequence[str]
    error: str | None = None

    def raise_if_refused(self) -> None:
        if self.error is not None:
            raise AlertRefused(
                f"EARSHOT_ALERT_URL did not accept an alert: {self.error}.",
                "It will be sent again; `earshot webhooks` says when.",
            )


def _post(database: Database, settings: Settings, queue: str, alerts: Sequence[_Alert]) -> _Posted:
    """Post these alerts, and those that wait in this queue, to EARSHOT_ALERT_URL; without it, they count as delivered."""
    if settings.alert_url is None:
        return _Posted(["delivered"] * len(alerts))
    events = [queue_alert(database, queue, alert.key, alert.body, alert.document["video_id"]) for alert in alerts]
    attempts = deliver(database, settings.home, [Endpoint(ALERTS, settings.alert_url, None)], queue)
    states = states_of(database, events)
    error = next((attempt.error for attempt in attempts if attempt.error is not None), None)
    return _Posted([states.get(event, "pending") for event in events], error)
