"""The bodies of events: JSON with `type`, `timestamp` and `data`, as docs/reference/webhooks.md describes.

A body is small: it says what happened, and where to read more. It holds no transcript, no path of this machine and no secret; a
person's name only if it is about that name.
"""

import json
from collections.abc import Sequence
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
    """The body of this event as things are now, kept for further attempts; None if its videos or person were deleted."""
    rows = database.query(
        "SELECT type, occurred_at, facts, video_id, p.name AS person FROM webhook_events LEFT JOIN people p USING (person_id) "
        "WHERE event_id = %s",
        [event_id],
    )
    data = _data(database, home, rows[0]) if rows else None
    if data is None:
        return None
    body = _body(rows[0]["type"], rows[0]["occurred_at"], data)
    kept = database.query("UPDATE webhook_events SET body = %s WHERE event_id = %s RETURNING body", [body, event_id])
    return kept[0]["body"] if kept else None


def _data(database: Database, home: Path, event: dict[str, Any]) -> dict[str, Any] | None:
    """What the event says; None if its videos were deleted."""
    facts = _without_secrets(event["facts"])
    if event["person"] is None:
        videos = _videos(database, home, [event["video_id"]])
        return {**facts, "video": videos[0]} if videos else None
    videos = _videos(database, home, facts.pop("newest"))
    return {"person": event["person"], **facts, "videos": videos} if videos else None


def _videos(database: Database, home: Path, video_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those of these videos that the library has, in their order."""
    rows = database.query(
        "SELECT video_id, title, channel, published_at, duration_s, url FROM videos WHERE video_id = ANY(%(ids)s) "
        "ORDER BY array_position(%(ids)s, video_id)",
        {"ids": list(video_ids)},
    )
    return [asdict(_video(row, home)) for row in rows]


def test_body() -> str:
    """The body of a test."""
    return _body("webhook.test", datetime.now(UTC), {"message": "Earshot reaches this endpoint."})


def _body(of_type: str, at: datetime, data: dict[str, Any]) -> str:
    return json.dumps({"type": of_type, "timestamp": at.astimezone(UTC).isoformat(), "data": data}, ensure_ascii=False)


def _without_secrets(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in facts.items()}


def _video(row: dict[str, Any], home: Path) -> VideoFacts:
    video_id, url, published_at = row["video_id"], row["url"], row["published_at"]
    return VideoFacts(
        id=video_id,
        title=row["title"],
        channel=row["channel"],
        published_at=published_at and published_at.astimezone(UTC).isoformat(),
        duration_s=row["duration_s"],
        link=None if url.startswith("/") else without_secrets(url),
        page=video_page(home, video_id),
        api=video_resource(home, video_id),
    )
