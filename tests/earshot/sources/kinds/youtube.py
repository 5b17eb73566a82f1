"""YouTube without a network: yt-dlp's extractors return recordings (tests/fixtures/youtube), a loopback server has the feed.

Above the extractors everything is real: yt-dlp's handling of playlists, the listing, the keys, the decisions.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yt_dlp.extractor.youtube import YoutubeIE, YoutubeTabIE
from yt_dlp.utils import ExtractorError

from earshot.config.settings import PROJECT_ROOT
from earshot.config.sources_file import Kind, Source
from earshot.sources.kinds import youtube
from earshot.sources.kinds.youtube import watch_url
from tests.support.feeds import FIRST_DAY
from tests.support.http_server import Answer, Site

CHANNEL_ID = "UC0123456789012345678901"
CHANNEL = Source(
    Kind.CHANNEL, f"https://www.youtube.com/channel/{CHANNEL_ID}", "a channel", every_s=0.0, pause_s=0.0, allow_private=True
)


def recording(name: str) -> dict[str, Any]:
    return json.loads((PROJECT_ROOT / "tests" / "fixtures" / "youtube" / f"{name}.json").read_text())


def upload(day: int, **facts: Any) -> dict[str, Any]:
    """The first recorded upload, as that of this day."""
    video_id = f"video-{day:05d}"
    return {**recording("uploads")["entries"][0], "id": video_id, "url": watch_url(video_id), "title": video_id, **facts}


def uploaded_at(video_id: str) -> datetime:
    return FIRST_DAY + timedelta(int(video_id[-5:]) - 1)


@dataclass
class YouTube:
    """A channel: its uploads as yt-dlp lists them, newest first; `extracted` are the URLs that yt-dlp was given.

    `pages` are facts of videos' own pages, by id; `errors` are messages in place of such pages.
    """

    site: Site
    uploads: list[dict[str, Any]]
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    extracted: list[str] = field(default_factory=list)

    def publish(self, *uploads: dict[str, Any], in_feed: int = 2) -> None:
        self.uploads = list(uploads)
        feed = youtube_feed({entry["id"]: uploaded_at(entry["id"]) for entry in uploads[:in_feed]})
        self.site.put("/feeds/videos.xml", Answer(feed))

    def extract_tab(self, url: str) -> dict[str, Any]:
        self.extracted.append(url)
        return {**recording("uploads"), "entries": copy.deepcopy(self.uploads), "playlist_count": len(self.uploads)}

    def extract_video(self, url: str) -> dict[str, Any]:
        self.extracted.append(url)
        video_id = url.removeprefix(watch_url(""))
        if video_id in self.errors:
            name: Any = YoutubeIE.IE_NAME
            raise ExtractorError(self.errors[video_id], expected=True, video_id=video_id, ie=name)
        return {**recording("video"), "id": video_id, "title": video_id, "webpage_url": url, **self.pages.get(video_id, {})}


def play_youtube(site: Site, monkeypatch: pytest.MonkeyPatch) -> YouTube:
    """Put recordings in place of YouTube for one test; the channel has the recorded uploads and no feed yet."""
    played, feed_of = YouTube(site, recording("uploads")["entries"]), youtube.feed_of
    monkeypatch.setattr(YoutubeTabIE, "extract", lambda _, url: played.extract_tab(url))
    monkeypatch.setattr(YoutubeIE, "extract", lambda _, url: played.extract_video(url))

    def feed_on_loopback(channel: str) -> youtube.Feed:
        urls = feed_of(channel)
        return replace(urls, feed=urls.feed.replace("https://www.youtube.com", site.url))

    monkeypatch.setattr(youtube, "feed_of", feed_on_loopback)
    return played


def youtube_feed(published: Mapping[str, datetime], shorts: tuple[str, ...] = ()) -> bytes:
    """The feed of videos, by id, as https://www.youtube.com/feeds/videos.xml documents it; not recorded."""
    entries = "".join(
        f"<entry><id>yt:video:{video_id}</id><yt:videoId>{video_id}</yt:videoId><yt:channelId>{CHANNEL_ID}</yt:channelId>"
        f"<title>{video_id}</title>"
        f'<link rel="alternate" href="https://www.youtube.com/{"shorts/" if video_id in shorts else "watch?v="}{video_id}"/>'
        f"<author><name>A channel</name><uri>https://www.youtube.com/channel/{CHANNEL_ID}</uri></author>"
        f"<published>{moment.astimezone(UTC).isoformat()}</published><updated>2026-02-02T00:00:00+00:00</updated>"
        f"<media:group><media:title>{video_id}</media:title>"
        f'<media:content url="https://www.youtube.com/v/{video_id}?version=3" type="application/x-shockwave-flash"/>'
        f'<media:thumbnail url="https://i1.ytimg.com/vi/{video_id}/hqdefault.jpg" width="480" height="360"/>'
        "<media:description>About it.</media:description></media:group></entry>"
        for video_id, moment in published.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom">'
        f'<link rel="self" href="http://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL_ID}"/>'
        f"<id>yt:channel:{CHANNEL_ID[2:]}</id><yt:channelId>{CHANNEL_ID[2:]}</yt:channelId>"
        f"<title>A list of the channel</title><published>2010-01-01T00:00:00+00:00</published>{entries}</feed>"
    ).encode()
