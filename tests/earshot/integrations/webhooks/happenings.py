"""What videos go through, as stages write it, and passes that post the events."""

import base64
from pathlib import Path

from earshot.integrations.webhooks.delivery import Attempt, deliver
from earshot.integrations.webhooks.endpoints import Endpoint
from earshot.integrations.webhooks.log import (
    Delivery,
    list_deliveries,
)
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import (
    Video,
    mark_ready_if_complete,
    register,
)
from earshot.storage.database import Database
from tests.support import timing_rows

KEY = b"a key that receivers have, too"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def add(database: Database, *keys: str) -> None:
    register(database, [Video(key, f"https://ana:s3cret@example.com/{key}", "https://x", f"Talk {key}") for key in keys])


def make_ready(database: Database, *keys: str) -> None:
    """New videos, as their last stage leaves them."""
    add(database, *keys)
    for key in keys:
        for stage in STAGES:
            timing_rows.keep(database, stage, timing_rows.usual(), key)
        mark_ready_if_complete(database, key)


def flag(database: Database, key: str) -> None:
    database.query(
        "INSERT INTO check_failures (video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES (%s, 'transcript', 'regression', 'error', 'device', 'It took too long.', 'run-1')",
        [key],
    )


def go_on(database: Database, *endpoints: Endpoint) -> list[Attempt]:
    """A pass after the pauses are over."""
    database.query("UPDATE webhook_deliveries SET next_at = now() - interval '1 s' WHERE state = 'pending'")
    return deliver(database, Path("/nowhere"), endpoints)


def only(database: Database) -> Delivery:
    [delivery] = list_deliveries(database, None, None)
    return delivery


def events(database: Database) -> list[str]:
    return [f"{one.event} {one.video_id} {one.endpoint}" for one in reversed(list_deliveries(database, None, None))]
