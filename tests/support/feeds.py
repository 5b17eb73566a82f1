"""Made-up podcast feeds: episode `e3` was published on the third day, and one without a number on no known day."""

from datetime import UTC, datetime, timedelta

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
