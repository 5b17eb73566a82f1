"""Podcast feeds: RSS 2.0 with the podcasting 2.0 namespace, so that podcast apps show transcripts. Pure functions.

Each episode has its sound, its transcript as VTT, SRT and JSON, chapters, and the people who speak. The format:
https://github.com/Podcastindex-org/podcast-namespace. A further page is named as RFC 5005 says.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import format_datetime
from xml.etree import ElementTree as Xml

from earshot.common.text import in_xml
from earshot.common.times import format_hms
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.speaker_passages import title_of
from earshot.transcripts.publishing.chapters import Chapter

PODCAST = "https://podcastindex.org/namespace/1.0"
ATOM = "http://www.w3.org/2005/Atom"
ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
# The formats of a transcript and their types in the specification.
TRANSCRIPTS = {"vtt": "text/vtt", "srt": "application/x-subrip", "podcast": "application/json"}
CHAPTERS = "application/json+chapters"


@dataclass(frozen=True)
class Enclosure:
    """The sound of an episode: address, media type, bytes."""

    url: str
    media_type: str
    size: int


@dataclass(frozen=True)
class Episode:
    """A video in a feed: its link, sound, addresses of transcripts by format, of chapters (None: no chapters), and people."""

    video: Video
    link: str
    language: str | None
    enclosure: Enclosure | None
    transcripts: dict[str, str]
    chapters: str | None
    people: tuple[str, ...]


@dataclass(frozen=True)
class FeedPage:
    """A page of a feed: title, the page of the source, this address, and that of the next page (None: the last)."""

    title: str
    link: str
    address: str
    next: str | None = None


def as_feed(feed: FeedPage, episodes: Iterable[Episode]) -> str:
    rss = Xml.Element("rss", version="2.0")
    channel = Xml.SubElement(rss, "channel")
    _add(channel, "title", feed.title)
    _add(channel, "link", feed.link)
    _add(channel, "description", f"{feed.title}, with transcripts by Earshot")
    _add(channel, "generator", "Earshot")
    for relation, address in (("self", feed.address), ("next", feed.next)):
        if address:
            Xml.SubElement(channel, f"{{{ATOM}}}link", rel=relation, href=in_xml(address), type="application/rss+xml")
    for episode in episodes:
        channel.append(_item(episode))
    for prefix, namespace in (("podcast", PODCAST), ("atom", ATOM), ("itunes", ITUNES)):
        Xml.register_namespace(prefix, namespace)
    Xml.indent(rss)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(rss, encoding="unicode")}\n'


def _item(episode: Episode) -> Xml.Element:
    video, item = episode.video, Xml.Element("item")
    _add(item, "title", title_of(video))
    _add(item, "guid", video.video_id).set("isPermaLink", "false")
    _add(item, "link", episode.link)
    if video.published_at:
        _add(item, "pubDate", format_datetime(video.published_at))
    if video.duration_s:
        _add(item, f"{{{ITUNES}}}duration", format_hms(video.duration_s))
    if episode.enclosure:
        sound = episode.enclosure
        Xml.SubElement(item, "enclosure", url=in_xml(sound.url), type=sound.media_type, length=str(sound.size))
    language = {"language": episode.language} if episode.language else {}
    for name, url in episode.transcripts.items():
        Xml.SubElement(item, f"{{{PODCAST}}}transcript", {"url": in_xml(url), "type": TRANSCRIPTS[name], **language})
    if episode.chapters:
        Xml.SubElement(item, f"{{{PODCAST}}}chapters", url=in_xml(episode.chapters), type=CHAPTERS)
    for name in episode.people:
        _add(item, f"{{{PODCAST}}}person", name)
    return item


def _add(parent: Xml.Element, tag: str, text: str) -> Xml.Element:
    child = Xml.SubElement(parent, tag)
    child.text = in_xml(text)
    return child


def as_chapters(chapters: Iterable[Chapter]) -> str:
    """A file of chapters: JSON chapters 1.2 of podcasting 2.0."""
    listed = [{"startTime": round(chapter.start_s, 3), "title": chapter.title} for chapter in chapters]
    return json.dumps({"version": "1.2.0", "chapters": listed}, ensure_ascii=False, indent=1) + "\n"
