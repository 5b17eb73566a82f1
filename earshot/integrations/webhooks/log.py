"""The log: what is to be posted to which endpoint, and what became of it. Tables `webhook_events`, `webhook_deliveries`.

Triggers keep the events of videos (migration 0022), `record_named()` those of people, `queue_alert()` and `queue_test()` the
others. A delivery is the posting of one event to one endpoint. Deliveries in one queue of an endpoint are made in their order:
a later one waits until the earlier ones are delivered or given up. `claim()` hands out the next one that is due; a claim whose
process dies is due again after LEASE, so an event may arrive twice, with the same id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from earshot.integrations.webhooks.endpoints import ALERTS
from earshot.storage.database import Connection, Database

ALERT, TEST = "alert", "webhook.test"
STATES = ("pending", "delivered", "given_up")

LEASE = timedelta(minutes=2)  # above the time that one post may take
# Between an attempt and the next; the last one repeats. 0: at the next tick of the sensor.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 60, 300, 1800, 7200, 21_600))
GIVEN_UP_AFTER = timedelta(days=3)
KEPT = timedelta(days=30)  # in the log
NEWEST = 20  # videos that an event about a person names


@dataclass(frozen=True)
class Delivery:
    """One delivery of the log. `number` names it here, `webhook_id` to its receiver.

    `state` is one of STATES. `status` is the HTTP status of the last answer, `error` why the last attempt failed.
    """

    number: int
    webhook_id: str
    event: str
    video_id: str | None
    endpoint: str
    state: str
    attempts: int
    occurred_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None
    status: int | None
    error: str | None


@dataclass(frozen=True)
class Claim:
    """A delivery to attempt now; `attempts` counts this one, too. `body` is None before the first attempt."""

    delivery_id: int
    event_id: int
    type: str
    endpoint: str
    webhook_id: str
    attempts: int
    queued_at: datetime
    body: str | None


# --- what is to be posted ------------------------------------------------------------------------------------------------


def write_endpoints(database: Database, events: Mapping[str, Sequence[str]]) -> None:
    """Make these the endpoints, with the types of events that each gets. What waits for others is deleted."""
    rows = database.query("SELECT endpoint, events FROM webhook_endpoints")
    if {row["endpoint"]: tuple(row["events"]) for row in rows} == {name: tuple(types) for name, types in events.items()}:
        return
    with database.connect() as connection:
        connection.execute("DELETE FROM webhook_endpoints")
        for name, types in events.items():
            connection.execute("INSERT INTO webhook_endpoints VALUES (%s, %s)", [name, list(types)])
        connection.execute(
            "DELETE FROM webhook_deliveries WHERE state = 'pending' AND endpoint <> ALL(%s)", [[*events, ALERTS]]
        )


def record_named(connection: Connection, named: Mapping[tuple[str, int], str]) -> None:
    """Keep one event for each person (person_id) of these videos: how many they are, the NEWEST of them, and how that was
    decided, by correction if any was. Part of the caller's transaction."""
    connection.execute(
        """
        SELECT record_webhook_event('person.named', NULL, person, jsonb_build_object(
            'decided_by', CASE WHEN bool_or(decided_by = 'correction') THEN 'correction' ELSE min(decided_by) END,
            'count', count(*),
            'newest', (array_agg(video_id ORDER BY coalesce(published_at, '-infinity') DESC, video_id))[:%s]))
        FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS named (video_id, person, decided_by) JOIN videos USING (video_id)
        WHERE EXISTS (SELECT FROM webhook_endpoints WHERE 'person.named' = ANY(events))
        GROUP BY person
        """,
        [NEWEST, [video for video, _ in named], [person for _, person in named], list(named.values())],
    )


def queue_alert(database: Database, queue: str, key: str, body: str, video_id: str | None) -> int:
    """The event of this alert: the one that still waits in this queue under this key, else a new one."""
    waiting = database.query(
        "SELECT event_id FROM webhook_deliveries JOIN webhook_events USING (event_id) "
        "WHERE state = 'pending' AND endpoint = %s AND queue = %s AND facts ->> 'key' = %s",
        [ALERTS, queue, key],
    )
    if waiting:
        return waiting[0]["event_id"]
    with database.connect() as connection:
        return _queue(connection, _Place(ALERTS, queue), ALERT, body, {"key": key}, video_id)


def queue_test(database: Database, endpoint: str, body: str) -> None:
    """Queue a test of this endpoint, in queue TEST."""
    with database.connect() as connection:
        _queue(connection, _Place(endpoint, TEST), TEST, body)


class _Place(NamedTuple):
    """A queue of an endpoint."""

    endpoint: str
    queue: str


def _queue(
    connection: Connection,
    place: _Place,
    of_type: str,
    body: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
    video_id: str | None = None,
) -> int:
    row = connection.execute(
        "WITH event AS (INSERT INTO webhook_events (type, video_id, facts, body) VALUES (%s, %s, %s, %s) RETURNING event_id) "
        "INSERT INTO webhook_deliveries (event_id, endpoint, queue) SELECT event_id, %s, %s FROM event RETURNING event_id",
        [of_type, video_id, Jsonb(dict(facts)), body, *place],
    ).fetchone()
    assert row is not None  # RETURNING
    return row["event_id"]


# --- attempts ------------------------------------------------------------------------------------------------------------


def claim(database: Database, endpoints: Sequence[str], due_at: datetime, queue: str | None = None) -> Claim | None:
    """The oldest delivery to these endpoints that was due then, or of this queue only; None if there is none.

    Tests are handed out only by their queue, so that the command that queued one sees the answer.
    """
    rows = database.query(
        """
        UPDATE webhook_deliveries d SET attempts = attempts + 1, next_at = now() + %(lease)s
        FROM webhook_events e WHERE e.event_id = d.event_id AND delivery_id = (
            SELECT delivery_id FROM webhook_deliveries first
            WHERE state = 'pending' AND endpoint = ANY(%(endpoints)s) AND next_at <= %(due_at)s
                AND (queue = %(queue)s OR %(queue)s::text IS NULL AND queue <> %(test)s) AND NOT EXISTS (
                    SELECT FROM webhook_deliveries earlier WHERE earlier.state = 'pending'
                        AND (earlier.endpoint, earlier.queue) = (first.endpoint, first.queue)
                        AND earlier.delivery_id < first.delivery_id)
            ORDER BY delivery_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING delivery_id, d.event_id, type, endpoint, webhook_id, attempts, queued_at, body
        """,
        {"lease": LEASE, "endpoints": list(endpoints), "due_at": due_at, "queue": queue, "test": TEST},
    )
    return Claim(**rows[0]) if rows else None


def record_success(database: Database, claimed: Claim, status: int | None) -> None:
    """Note that the endpoint has accepted the event."""
    database.query(
        "UPDATE webhook_deliveries SET state = 'delivered', delivered_at = now(), status = %s, error = NULL "
        "WHERE delivery_id = %s",
        [status, claimed.delivery_id],
    )


def record_failed_attempt(database: Database, claimed: Claim, status: int | None, error: str) -> None:
    """Note why it was not accepted, and when to try again. A test is not tried again."""
    database.query(
        "UPDATE webhook_deliveries SET status = %(status)s, error = %(error)s, next_at = now() + %(pause)s, "
        "state = CASE WHEN %(once)s OR now() + %(pause)s > queued_at + %(given_up)s THEN 'given_up' ELSE 'pending' END "
        "WHERE delivery_id = %(delivery)s",
        {
            "status": status,
            "error": error,
            "pause": PAUSES[min(claimed.attempts, len(PAUSES)) - 1],
            "once": claimed.type == TEST,
            "given_up": GIVEN_UP_AFTER,
            "delivery": claimed.delivery_id,
        },
    )


def states_of(database: Database, event_ids: Sequence[int]) -> dict[int, str]:
    """The states of the deliveries of alerts, by event."""
    rows = database.query("SELECT event_id, state FROM webhook_deliveries WHERE event_id = ANY(%s)", [list(event_ids)])
    return {row["event_id"]: row["state"] for row in rows}


# --- reading, replaying, pruning -----------------------------------------------------------------------------------------


def list_deliveries(database: Database, state: str | None, most: int | None) -> list[Delivery]:
    """The deliveries, or those in this state, the latest first."""
    rows = database.query(
        "SELECT delivery_id AS number, webhook_id, type AS event, video_id, endpoint, state, attempts, occurred_at, "
        "CASE state WHEN 'pending' THEN next_at END AS next_at, delivered_at, status, error "
        "FROM webhook_deliveries JOIN webhook_events USING (event_id) "
        "WHERE %(state)s::text IS NULL OR state = %(state)s ORDER BY delivery_id DESC LIMIT %(most)s",
        {"state": state, "most": most},
    )
    return [Delivery(**row) for row in rows]


def replay(database: Database, deliveries: Sequence[str] | None) -> list[int]:
    """Make these deliveries (by number or webhook_id) due now, also delivered ones; returns their numbers.

    None: all that were given up, and those that wait for another attempt.
    """
    rows = database.query(
        "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, queued_at = now(), next_at = now() "
        "WHERE CASE WHEN %(named)s::text[] IS NULL THEN state = 'given_up' OR (state = 'pending' AND attempts > 0) "
        "ELSE delivery_id::text = ANY(%(named)s) OR webhook_id = ANY(%(named)s) END RETURNING delivery_id",
        {"named": None if deliveries is None else list(deliveries)},
    )
    return sorted(row["delivery_id"] for row in rows)


def prune(database: Database) -> None:
    """Delete events of longer ago than KEPT, with their deliveries."""
    database.query("DELETE FROM webhook_events WHERE occurred_at < now() - %s", [KEPT])
