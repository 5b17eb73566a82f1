"""YouTube's addresses: recognises channels and builds the URLs of their feed and complete list. Fetches nothing.

A channel's videos are in its uploads playlist, whose id is the channel's with UU for UC; the feed holds the newest 15.
The feed has dates and costs nothing while nothing is new; the playlist has everything but dates.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

HOSTS = frozenset({"youtube.com", "youtu.be", "youtube-nocookie.com"})
# Paths of channels (youtube.com/@name, /channel/UC..., and the two older kinds). Their tabs of Shorts and streams are separate
# lists.
_CHANNEL_PATH = re.compile(r"/(@[^/]+|channel/[^/]+|c/[^/]+|user/[^/]+)(/(videos|featured))?/?$")
_CHANNEL_ID = re.compile(r"UC[\w-]{22}")


@dataclass(frozen=True)
class Feed:
    """The URLs where a channel is polled and where it is listed in full."""

    feed: str
    uploads: str


def is_youtube(url: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return any(host == known or host.endswith(f".{known}") for known in HOSTS)


def is_channel(url: str) -> bool:
    """Whether the URL is a channel's page or its tab of all videos."""
    return is_youtube(url) and _CHANNEL_PATH.match(urlsplit(url).path) is not None


def channel_id(url: str) -> str | None:
    """The channel's id, if the URL contains it."""
    match = re.match(rf"/channel/({_CHANNEL_ID.pattern})(/|$)", urlsplit(url).path)
    return match[1] if match else None


def feed_of(channel: str) -> Feed:
    """The URLs of a channel's feed and uploads, by its id (UC and 22 characters).

    >>> feed_of("UC_x5XG1OV2P6uZZ5FSM9Ttw").uploads
    'https://www.youtube.com/playlist?list=UU_x5XG1OV2P6uZZ5FSM9Ttw'
    """
    return Feed(
        feed=f"https://www.youtube.com/feeds/videos.xml?channel_id={channel}",
        uploads=f"https://www.youtube.com/playlist?list=UU{channel.removeprefix('UC')}",
    )


def watch_url(video_id: str) -> str:
    """The one URL for a video, whichever form the listing uses (watch, shorts, live)."""
    return f"https://www.youtube.com/watch?v={video_id}"
