"""Webhooks: the endpoints and the log of deliveries; replays and tests. `earshot up` posts what is replayed.

docs/guides/operation/webhooks.md explains them to users.
"""

from collections.abc import Mapping, Sequence

from earshot.common.errors import EarshotError, Unknown
from earshot.config.mistakes import quoted
from earshot.config.settings import read_settings
from earshot.integrations.webhooks.delivery import Attempt, deliver
from earshot.integrations.webhooks.endpoints import read_endpoints
from earshot.integrations.webhooks.log import STATES, TEST, Delivery, list_deliveries, queue_test, replay
from earshot.integrations.webhooks.payloads import test_body
from earshot.storage.database import Database

__all__ = ["STATES", "Attempt", "Delivery", "Webhooks"]


class Webhooks:
    """The webhooks of a library. What it returns has neither addresses nor secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> Mapping[str, Sequence[str]]:
        """The endpoints of webhooks.yaml with the types of events that each gets. Raises Misconfigured if it is invalid."""
        return {endpoint.name: endpoint.events for endpoint in read_endpoints(read_settings().webhooks)}

    def deliveries(self, state: str | None = None, limit: int | None = None) -> list[Delivery]:
        """The log of the last 30 days, the latest first: events and alerts; also those in one state (STATES)."""
        return list_deliveries(self._database, state, limit)

    def replay(self, *deliveries: str) -> list[int]:
        """Post these deliveries (numbers or webhook ids) again, also accepted ones; returns their numbers.

        Raises Unknown if the log has none of them.
        """
        replayed = replay(self._database, deliveries)
        if not replayed:
            raise Unknown(f"The log has no delivery {', '.join(map(quoted, deliveries))}.", "`earshot webhooks` lists them.")
        return replayed

    def replay_failed(self) -> list[int]:
        """Post again what was given up, and at once what waits for another attempt; returns the numbers."""
        return replay(self._database, None)

    def test(self, endpoint: str | None = None) -> list[Attempt]:
        """Post a `webhook.test` to this endpoint or to all, now and once. Raises Unknown if there is no such endpoint."""
        chosen = [one for one in read_endpoints(read_settings().webhooks) if endpoint in (None, one.name)]
        if not chosen and endpoint is not None:
            raise Unknown(f"There is no endpoint {quoted(endpoint)}.", f"{read_settings().webhooks} has: {self._names()}.")
        if not chosen:
            raise EarshotError("There are no endpoints.", f"Write one into {read_settings().webhooks}.")
        for one in chosen:
            queue_test(self._database, one.name, test_body())
        return [attempt for one in chosen for attempt in deliver(self._database, read_settings().home, [one], TEST)]

    def _names(self) -> str:
        return ", ".join(self.endpoints()) or "none"
