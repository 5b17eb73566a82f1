"""Made-up podcast feeds, and pages with media. Episode `e3` was published on the third day, one without a number on none."""

import json
from datetime import UTC, datetime, timedelta

HTML = {"Content-Type": "text/html; charset=utf-8"}
FIRST_DAY = datetime(2026, 1, 1, 9, tzinfo=UTC)


def feed(*names: str, title: str = "", media: str = "https://media.example") -> bytes:
    """A podcast feed of these episodes, newest first."""
    items = "".join(
        f'<item><guid isPermaLink="false">{name}</guid><title>{title or name}</title>'
        f'{_date(name)}<enclosure url="{media}/{name}.mp3" type="audio/mpeg" length="1"/></item>'
        for name in names
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>{items}</channel></rss>'.encode()


def _date(name: str) -> str:
    if not name[1:].isdigit():
        return ""
    return f"<pubDate>{FIRST_DAY + timedelta(int(name[1:]) - 1):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"


def video_page(**facts: str) -> bytes:
    """A page that describes one video in JSON-LD, as schema.org's VideoObject."""
    video = {"@context": "https://schema.org", "@type": "VideoObject", "name": "The talk", **facts}
    json_ld = f'<script type="application/ld+json">{json.dumps(video)}</script>'
    return f"<!doctype html><html><head><title>A page</title>{json_ld}</head><body></body></html>".encode()


def player_page(*urls: str) -> bytes:
    """A page that plays these videos."""
    tags = "".join(f'<video src="{url}"></video>' for url in urls)
    return f"<!doctype html><html><head><title>Films</title></head><body>{tags}</body></html>".encode()
