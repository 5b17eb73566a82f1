"""`earshot webhooks`: lists, replays and tests, and prints no secret."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from earshot.cli.commands import cli
from earshot.common.errors import InvalidMedia, Unknown
from earshot.config.settings import read_settings
from earshot.integrations.webhooks.delivery import deliver
from earshot.integrations.webhooks.endpoints import read_endpoints
from earshot.integrations.webhooks.log import write_endpoints
from earshot.storage.catalog.videos import Video, record_failure, register
from earshot.storage.database import Database
from tests.support.webhook_receiver import Receiver, receiving

SECRET = "whsec_aHVudGVyMiBpcyBhIHNlY3JldCBvZiAzMiBieXRlcw=="


@pytest.fixture
def receiver(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Receiver]:
    """The only endpoint of webhooks.yaml. It has refused an event of video v1."""
    file = tmp_path / "webhooks.yaml"
    monkeypatch.setenv("EARSHOT_WEBHOOKS", str(file))
    with receiving() as opened:
        file.write_text(f"webhooks:\n  - url: {opened.url}\n    secret: {SECRET}\n    name: notes\n")
        endpoints = read_endpoints(file)
        write_endpoints(database, {endpoint.name: endpoint.events for endpoint in endpoints})
        register(database, [Video("v1", "https://x/v1", "https://x", "A talk")])
        record_failure(database, "v1", InvalidMedia("It is empty."))
        opened.answers.append(503)
        deliver(database, read_settings().home, endpoints)
        yield opened


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["webhooks", *arguments], terminal_width=200)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == code, result.output
    assert "secretpath" not in result.output
    assert SECRET not in result.output
    return result.output


def test_list_shows_endpoints_and_deliveries(receiver: Receiver) -> None:
    assert len(receiver.posts) == 1
    first, _, row = run().splitlines()
    assert first == "notes: video.ready, video.failed, video.flagged, person.named"
    assert "video.failed  v1     notes     pending, next at " in row
    assert row.split()[-4:] == ["503", "Service", "Unavailable", "1"]
    assert run("--state", "delivered").splitlines() == [first, "No deliveries."]
    listed = json.loads(run("--json"))
    assert listed["endpoints"] == {"notes": ["video.ready", "video.failed", "video.flagged", "person.named"]}
    [delivery] = listed["deliveries"]
    assert delivery["webhook_id"] == receiver.posts[0].webhook_id
    assert (delivery["event"], delivery["state"], delivery["status"]) == ("video.failed", "pending", 503)


def test_replay_posts_again_with_the_same_id(receiver: Receiver, database: Database) -> None:
    webhook_id = receiver.posts[0].webhook_id
    for arguments in (["--failed"], [webhook_id], [str(json.loads(run("--json"))["deliveries"][0]["number"])]):
        assert run("replay", *arguments) == "1 event due now; `earshot up` posts what is due.\n"
        deliver(database, read_settings().home, read_endpoints(read_settings().webhooks))
    assert [post.webhook_id for post in receiver.posts] == [webhook_id] * 4
    assert json.loads(run("--json"))["deliveries"][0]["state"] == "delivered"
    assert run("replay", "--failed", "--json") == '{\n "replayed": []\n}\n'
    with pytest.raises(Unknown, match="no delivery '12345'"):
        run("replay", "12345")
    run("replay", code=2)
    run("replay", "1", "--failed", code=2)


def test_test_is_posted_now_and_once(receiver: Receiver) -> None:
    assert run("test") == "notes: accepted with 204\n"
    assert receiver.posts[-1].event["type"] == "webhook.test"
    receiver.answers.append(410)
    assert run("test", "notes", code=1) == "notes: it answered 410 Gone\n"
    assert json.loads(run("--json"))["deliveries"][0]["state"] == "given_up"
    with pytest.raises(Unknown, match="no endpoint 'nots'"):
        run("test", "nots")


@pytest.mark.usefixtures("database")
def test_list_without_endpoints_says_where_to_write_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "webhooks.yaml").write_text("webhooks:\n")
    monkeypatch.setenv("EARSHOT_WEBHOOKS", str(tmp_path / "webhooks.yaml"))
    assert run() == f"There are no endpoints. To add one, write it into {tmp_path}/webhooks.yaml.\nNo deliveries.\n"
