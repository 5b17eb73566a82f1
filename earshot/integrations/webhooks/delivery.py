"""Delivery: posts what is due, oldest first, until nothing is left or the time is up.

The sensors `webhooks` and `alerts` do this at each tick. An endpoint that does not answer gets no further post in this pass, so
that it does not hold up the others; one that refuses an event still gets those of other videos.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earshot.integrations.webhooks.endpoints import Endpoint
from earshot.integrations.webhooks.log import Claim, claim, record_failed_attempt, record_success
from earshot.integrations.webhooks.payloads import compose
from earshot.integrations.webhooks.posting import Answer, post
from earshot.storage.database import Database

BUDGET_S = 15.0  # of a pass, after which no post begins; Dagster ends a tick, which may have two passes, after 60 s


@dataclass(frozen=True)
class Attempt:
    """One post. `error` says why it failed, None if the event was accepted; `status` is the HTTP status, None if none came."""

    number: int
    endpoint: str
    status: int | None
    error: str | None


def deliver(
    database: Database, home: Path, endpoints: Sequence[Endpoint], queue: str | None = None, budget_s: float = BUDGET_S
) -> list[Attempt]:
    """Post what is due to these endpoints now, or only what is in this queue; returns the attempts."""
    open_endpoints = {endpoint.name: endpoint for endpoint in endpoints}
    [now] = database.query("SELECT clock_timestamp() AS at")
    attempts, ends = [], time.monotonic() + budget_s
    while open_endpoints and time.monotonic() < ends:
        claimed = claim(database, list(open_endpoints), now["at"], queue)
        if claimed is None:
            break
        answer = _attempt(database, home, open_endpoints[claimed.endpoint], claimed)
        if answer is not None:
            attempts.append(Attempt(claimed.delivery_id, claimed.endpoint, answer.status, answer.error))
            if answer.status is None:
                del open_endpoints[claimed.endpoint]
    return attempts


def _attempt(database: Database, home: Path, endpoint: Endpoint, claimed: Claim) -> Answer | None:
    """Post the delivery and record the answer; None if what it is about was deleted meanwhile."""
    body = claimed.body or compose(database, home, claimed.event_id)
    if body is None:
        database.query("DELETE FROM webhook_events WHERE event_id = %s", [claimed.event_id])
        return None
    answer = post(endpoint, claimed.webhook_id, body)
    if answer.error is None:
        record_success(database, claimed, answer.status)
    else:
        record_failed_attempt(database, claimed, answer.status, answer.error)
    return answer
