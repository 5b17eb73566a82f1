"""Posts to a real HTTP server on loopback: signed, until accepted, and nowhere else."""

import base64
import logging
import re
from dataclasses import replace

import pytest
from standardwebhooks.webhooks import Webhook

from earshot.integrations.webhooks import posting
from earshot.integrations.webhooks.endpoints import Endpoint
from earshot.integrations.webhooks.posting import sign
from earshot.storage.database import Database
from tests.earshot.integrations.webhooks.happenings import KEY, SECRET, go_on, make_ready, only
from tests.support.tables import dump_tables
from tests.support.webhook_receiver import CUT, LATE, NO_HTTP, Receiver, Redirect, receiving


def test_event_is_posted_until_accepted(
    database: Database, receiver: Receiver, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers.extend([500, CUT, LATE])
    make_ready(database, "v1")
    assert [attempt.error for attempt in go_on(database, endpoint)] == ["it answered 500 Internal Server Error"]
    assert [attempt.error for attempt in go_on(database, endpoint)] == ["no answer in HTTP (RemoteDisconnected)"]
    with monkeypatch.context() as patch:
        patch.setattr(posting, "TIMEOUT_S", 0.3)
        assert [attempt.error for attempt in go_on(database, endpoint)] == ["no answer within 0.3 s"]
    receiver.late.set()  # its 200 comes too late: Earshot must try again
    assert only(database).state == "pending"
    assert [attempt.status for attempt in go_on(database, endpoint)] == [204]
    assert go_on(database, endpoint) == []
    assert (only(database).state, only(database).attempts, only(database).error) == ("delivered", 4, None)
    assert len({post.webhook_id for post in receiver.posts}) == len({post.body for post in receiver.posts}) == 1
    for post in receiver.posts:
        assert Webhook(SECRET).verify(post.body, dict(post.headers))["type"] == "video.ready"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(database: Database, receiver: Receiver, endpoint: Endpoint, status: int) -> None:
    with receiving() as elsewhere:
        receiver.answers.append(Redirect(status, elsewhere.url))
        make_ready(database, "v1")
        [attempt] = go_on(database, endpoint)
        assert re.fullmatch(rf"it answered {status} .*; redirects are not followed", str(attempt.error))
        assert elsewhere.posts == []


def test_private_address_is_refused_unless_it_is_the_named_host(database: Database, endpoint: Endpoint) -> None:
    make_ready(database, "v1")
    with pytest.MonkeyPatch.context() as patch:  # the name leads elsewhere when it is used than when it is checked
        patch.setattr("earshot.sources.net.ssrf_guard._addresses_of", lambda *_: frozenset())
        [refused] = go_on(database, endpoint)
    assert refused.error == "it leads to 127.0.0.1, which is not public"
    assert [attempt.error for attempt in go_on(database, endpoint)] == [None]


def test_user_and_password_of_an_address_are_sent_as_a_header(
    database: Database, receiver: Receiver, endpoint: Endpoint
) -> None:
    make_ready(database, "v1")
    named = replace(endpoint, url=receiver.url.replace("://", "://ada:p%40ss@"))
    assert [attempt.error for attempt in go_on(database, named)] == [None]
    assert base64.b64decode(receiver.posts[0].headers["authorization"].removeprefix("Basic ")) == b"ada:p@ss"


def test_signature_is_that_of_the_specification() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_no_log_has_address_secret_or_signature(
    database: Database, receiver: Receiver, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers.extend([500, NO_HTTP, CUT])  # each repeats the signature, where it can
    make_ready(database, "v1")
    attempts = [go_on(database, replace(endpoint, url=receiver.url.replace("://", "://ada:passw0rd@"))) for _ in range(4)]
    signatures = [post.headers["webhook-signature"].removeprefix("v1,") for post in receiver.posts]
    assert len(signatures) == 4
    written = f"{caplog.text} {attempts} {endpoint} {dump_tables(database)}"
    secrets = [KEY.decode(), SECRET, SECRET.removeprefix("whsec_"), "secretpath", "passw0rd", "s3cret@", *signatures]
    assert [secret for secret in secrets if secret in written.replace("https://ana:s3cret@example.com", "")] == []
    assert all("s3cret" not in post.body for post in receiver.posts)
