"""Alerts to a real HTTP server on loopback: once per stage and cause, and again after a refusal."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from dagster import SensorEvaluationContext, SkipReason, build_sensor_context

from bench.harness.server import answering
from earshot.common.errors import AlertRefused
from earshot.config.home import up_file
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.sources.troubles import Trouble
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.timings.alerts import LastAlert, is_muted, read_last_alerts, send_alerts, send_troubles, write_last_alerts
from earshot.timings.causes.remedies import REMEDIES
from earshot.transcripts.content_checks import CONTENT_CHECKS
from sensors.alerts import alerts
from tests.support import timing_rows

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Receiver:
    """A server that refuses the first `refusals` requests; `bodies` are all requests' bodies."""

    url: str = ""
    refusals: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    accepted: int = 0


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            state.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            refused = len(state.bodies) <= state.refusals
            state.accepted += not refused
            self.send_response(503 if refused else 204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with answering(Handler) as url:
        state.url = f"{url}/hook"
        monkeypatch.setenv("EARSHOT_ALERT_URL", state.url)
        yield state


def fail(database: Database, asset: str = "text_embeddings", cause: str = "device", severity: str = "error") -> None:
    """A failed check, as a stage records it."""
    database.query(
        "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES ('v1', %s, 'regression', %s, %s, %s, 'run-1')",
        [asset, severity, cause, f"{asset} took too long. Cause: {cause}."],
    )


def states(database: Database) -> list[str | None]:
    return [row["alert"] for row in database.query("SELECT alert FROM check_failures ORDER BY failure_id")]


# --- quiet hours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "now", "hours", "expected"),
    [
        (None, "warn", 0.0, False),
        ("warn", "warn", 1.0, True),
        ("error", "error", 23.9, True),
        ("error", "warn", 1.0, True),
        ("warn", "error", 1.0, False),  # it has become worse
        ("error", "error", 24.0, False),
    ],
)
def test_same_cause_is_muted_unless_worse(last: str | None, now: str, hours: float, expected: bool) -> None:
    earlier, alert = LastAlert(last, NOW) if last else None, LastAlert(now, NOW + timedelta(hours=hours))
    assert is_muted(alert, earlier, quiet_hours=24.0) is expected


def test_alert_is_sent_once_per_stage_and_cause(database: Database, receiver: Receiver) -> None:
    for _ in range(3):
        fail(database)
    fail(database, cause="batch_size")
    fail(database, asset="transcript")
    sent = send_alerts(database, read_settings())
    assert [f"{alert.asset} {alert.cause}" for alert in sent] == [
        "text_embeddings device", "text_embeddings batch_size", "transcript device",
    ]  # fmt: skip
    assert states(database) == ["sent", "quiet", "quiet", "sent", "sent"]
    assert receiver.accepted == 3
    assert send_alerts(database, read_settings()) == []


def test_every_alert_is_sent_without_quiet_hours(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARSHOT_ALERT_QUIET_HOURS", "0")
    for _ in range(3):
        fail(database)
    assert len(send_alerts(database, read_settings())) == 3
    assert receiver.accepted == 3


# --- content -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ui(home: Path) -> Iterator[str]:
    """The address of the UI, as a running `earshot up` leaves it."""
    up_file(home).write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:3000"}))
    yield "http://127.0.0.1:3000"
    up_file(home).unlink()


def test_alert_has_what_one_needs_to_act(database: Database, receiver: Receiver, ui: str) -> None:
    register(database, [Video("v1", "https://ana:s3cret@example.com/a.wav", "/", "A conversation")])
    timing_rows.keep(database, "text_embeddings", timing_rows.usual(wall_s=12.5), "v1", run_id="run-1")
    fail(database, severity="warn")
    send_alerts(database, read_settings())
    [body] = receiver.bodies
    assert body["text"].startswith("Earshot warn: text_embeddings took too long. Cause: device. (A conversation) ")
    assert all(part in body["text"] for part in (REMEDIES["device"], body["link"], body["run_url"]))
    assert "s3cret" not in json.dumps(body)
    assert body.items() >= {
        "asset": "text_embeddings", "check_name": "regression", "severity": "warn", "cause": "device", "video_id": "v1",
        "title": "A conversation", "run_id": "run-1", "run_url": f"{ui}/runs/run-1", "remedy": REMEDIES["device"],
    }.items()  # fmt: skip
    assert (body["figures"]["wall_s"], body["figures"]["device"]) == (12.5, "cuda")
    assert datetime.fromisoformat(body["recorded_at"]).tzinfo is not None


@pytest.mark.usefixtures("receiver")
def test_alert_about_a_deleted_video_has_no_link(database: Database) -> None:
    fail(database)
    [alert] = send_alerts(database, read_settings())
    assert (alert.title, alert.link, alert.run_url, alert.figures) == (None, None, None, {})


def test_every_cause_has_a_remedy() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (PROJECT_ROOT / "docs/guides/operation/slow-stages.md").read_text(), re.MULTILINE)
    causes = set(re.findall(r"`([a-z_]+)`", " ".join(rows)))
    contents = {check for checks in CONTENT_CHECKS.values() for check in checks}
    assert set(REMEDIES) == causes | contents


def test_alert_without_receiver_is_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    fail(database, severity="warn")
    assert len(send_alerts(database, read_settings())) == 1
    assert caplog.messages == ["WARN: text_embeddings took too long. Cause: device. [v1, run run-1]"]


# --- a receiver that refuses ---------------------------------------------------------------------------------------------


def tick(context: SensorEvaluationContext) -> str:
    """The message of a tick of the sensor."""
    answer = alerts(context)
    assert isinstance(answer, SkipReason)
    return answer.skip_message or ""


def test_sensor_retries_until_accepted(database: Database, receiver: Receiver) -> None:
    receiver.refusals = 2
    fail(database)
    messages = [tick(build_sensor_context()) for _ in range(4)]
    assert "503" in messages[0]
    assert "503" in messages[1]
    assert messages[2].startswith("Sent 1: ")
    assert messages[3] == "No new alerts."
    assert (len(receiver.bodies), receiver.accepted) == (3, 1)
    assert states(database) == ["sent"]


def test_unreachable_receiver_loses_no_alert(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_ALERT_URL", "http://127.0.0.1:9/")
    fail(database)
    with pytest.raises(AlertRefused, match="Connection refused"):
        send_alerts(database, read_settings())
    assert states(database) == [None]


def test_alert_is_given_up_after_days(database: Database, receiver: Receiver) -> None:
    receiver.refusals = 2
    fail(database)
    fail(database, cause="batch_size")
    tick(build_sensor_context())
    assert len(receiver.bodies) == 1  # the next one waits
    database.query("UPDATE webhook_deliveries SET queued_at = now() - interval '3 days'")
    assert "503" in tick(build_sensor_context())
    assert states(database) == ["given_up", "sent"]
    assert receiver.bodies[0] == receiver.bodies[1]


# --- troubles ------------------------------------------------------------------------------------------------------------

FEED = Trouble("Harbour Talk", "source_unreadable", "error", "Harbour Talk cannot be read: 404.", "It can be read again.")
FILES = Trouble("Harbour Talk", "videos_failed", "warn", "Harbour Talk: 1 video failed.", "None is failed any more.")


def test_trouble_has_the_form_of_a_failed_check(database: Database, receiver: Receiver) -> None:
    fail(database)
    send_alerts(database, read_settings())
    assert send_troubles(database, [FEED], {}, read_settings()) == [FEED]
    check, trouble = receiver.bodies
    assert list(trouble) == list(check)
    assert {key: value for key, value in trouble.items() if value is not None and key != "recorded_at"} == {
        "text": "Earshot error: Harbour Talk cannot be read: 404.",
        "title": "Harbour Talk",
        "severity": "error",
        "cause": "source_unreadable",
        "message": "Harbour Talk cannot be read: 404.",
    }
    assert datetime.fromisoformat(trouble["recorded_at"]).tzinfo is not None


def test_trouble_is_sent_once_within_quiet_hours(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, LastAlert] = {}
    assert send_troubles(database, [FEED, FILES], sent, read_settings()) == [FEED, FILES]
    sent = read_last_alerts(write_last_alerts(sent))
    assert send_troubles(database, [FEED, FILES], sent, read_settings()) == []
    monkeypatch.setenv("EARSHOT_ALERT_QUIET_HOURS", "0")
    assert send_troubles(database, [FEED, FILES], sent, read_settings()) == [FEED, FILES]
    assert receiver.accepted == 4


@pytest.mark.usefixtures("database")
def test_refused_trouble_is_sent_again(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text("sources: nonsense")
    monkeypatch.setenv("EARSHOT_SOURCES", str(tmp_path / "sources.yaml"))
    receiver.refusals = 1
    context = build_sensor_context()
    messages = [tick(context) for _ in range(3)]
    assert "503" in messages[0]
    assert messages[1].startswith("Sent 1: ")
    assert messages[2] == "No new alerts."
    assert receiver.accepted == 1
