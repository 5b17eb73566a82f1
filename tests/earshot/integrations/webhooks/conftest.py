"""A receiver on loopback, and the endpoint that posts to it."""

from collections.abc import Iterator

import pytest

from earshot.integrations.webhooks.endpoints import EVENTS, Endpoint
from earshot.integrations.webhooks.log import (
    write_endpoints,
)
from earshot.storage.database import Database
from tests.earshot.integrations.webhooks.happenings import KEY
from tests.support.webhook_receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def endpoint(database: Database, receiver: Receiver) -> Endpoint:
    """The receiver as the endpoint `notes`, which gets every event."""
    write_endpoints(database, {"notes": EVENTS})
    return Endpoint("notes", receiver.url, KEY)
