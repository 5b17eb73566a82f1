"""webhooks.yaml: the endpoints that events are posted to, each with its secret and the types of events that it gets.

`read_endpoints()` reads the whole file, or rejects it with all its mistakes together.
earshot/integrations/webhooks/endpoints_model.py defines the keys; docs/reference/webhooks.md explains them to users.
"""

from dataclasses import dataclass, field
from pathlib import Path

from earshot.config.mistakes import is_empty, read_text
from earshot.config.settings import PROJECT_ROOT

EVENTS = ("video.ready", "video.failed", "video.flagged", "person.named")
ALERTS = "alerts"  # what the log calls EARSHOT_ALERT_URL; no endpoint may have this name


@dataclass(frozen=True)
class Endpoint:
    """Where events are posted. Its repr, which may be logged, has neither the address nor the secret.

    `secret`: the key of the signatures; None: posts are not signed, as those of alerts.
    """

    name: str
    url: str = field(repr=False)
    secret: bytes | None = field(repr=False)
    events: tuple[str, ...] = EVENTS


def read_endpoints(path: Path) -> tuple[Endpoint, ...]:
    """The endpoints in the file, in its order; none if it is empty, or if it is the clone's own and missing.

    Raises InvalidConfig with every mistake.
    """
    text = read_text(path, "EARSHOT_WEBHOOKS", may_miss=path == PROJECT_ROOT / "webhooks.yaml")
    if is_empty(text, "webhooks"):
        return ()
    from earshot.integrations.webhooks.endpoints_model import read_entries  # loading pydantic takes 0.2 s

    return tuple(Endpoint(*entry) for entry in read_entries(path, text))
