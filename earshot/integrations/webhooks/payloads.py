"""The bodies of events: JSON with `type`, `timestamp` and `data`, as docs/reference/webhooks.md describes.

A body is small: it says what happened, and where to read more. It holds no transcript, no path of this machine and no secret; a
person's name only if it is about that name.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from earshot.common.redaction import without_secrets
from earshot.config.home import video_page, video_resource
from earshot.storage.database import Database


@dataclass(frozen=True)
class VideoFacts:
    """The video of an event. `link` is where it was published, None for a file; `page` and `api` are on Earshot's page, which
    the receiver reaches only if it is open to its machine."""

    id: str
    title: str
    channel: str | None
    published_at: str | None
    duration_s: float | None
    link: str | None
    page: str
    api: str


def compose(database: Database, home: Path, event_id: int) -> str | None:
    """The body of this event as things are now, kept for further attempts; None if video or person were deleted meanwhile."""
    rows = database.query(
        "SELECT type, occurred_at, facts, video_id, title, channel, published_at, duration_s, url, p.name AS person "
        "FROM webhook_events JOIN videos USING (video_id) LEFT JOIN people p USING (person_id) WHERE event_id = %s",
        [event_id],
    )
    if not rows:
        return None
    [event] = rows
    person = {} if event["person"] is None else {"person": event["person"]}
    data = {**person, **_without_secrets(event["facts"]), "video": asdict(_video(event, home))}
    body = _body(event["type"], event["occurred_at"], data)
    kept = database.query("UPDATE webhook_events SET body = %s WHERE event_id = %s RETURNING body", [body, event_id])
    return kept[0]["body"] if kept else None


def test_body() -> str:
    """The body of a test."""
    return _body("webhook.test", datetime.now(UTC), {"message": "Earshot reaches this endpoint."})


def _body(of_type: str, at: datetime, data: dict[str, Any]) -> str:
    return json.dumps({"type": of_type, "timestamp": at.astimezone(UTC).isoformat(), "data": data}, ensure_ascii=False)


def _without_secrets(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in facts.items()}


def _video(event: dict[str, Any], home: Path) -> VideoFacts:
    video_id, url, published_at = event["video_id"], event["url"], event["published_at"]
    return VideoFacts(
        id=video_id,
        title=event["title"],
        channel=event["channel"],
        published_at=published_at and published_at.astimezone(UTC).isoformat(),
        duration_s=event["duration_s"],
        link=None if url.startswith("/") else without_secrets(url),
        page=video_page(home, video_id),
        api=video_resource(home, video_id),
    )
