"""Tools about videos: which there are, and which became searchable lately."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from earshot.common.times import link_at
from earshot.integrations.mcp.arguments import Arguments, Cursor, Limit, Text
from earshot.integrations.mcp.context import Context
from earshot.library.upkeep.news import NewVideo
from earshot.library.videos import ListedVideo


class Videos(Arguments):
    """The arguments of `videos`."""

    title: Annotated[Text | None, Field(description="Words of the title, or how they begin.")] = None
    source: Annotated[Text | None, Field(description="Only of this source: its name or address.")] = None
    state: Annotated[
        Text | None, Field(description="ready (it has a transcript), failed, new, private, ...; or queued, waiting, running.")
    ] = None
    limit: Limit = 20
    cursor: Cursor = None


class NewVideos(Arguments):
    """The arguments of `new_videos`."""

    since: Annotated[datetime | None, Field(description="Only those that became searchable after this time (ISO 8601).")] = None
    limit: Limit = 20
    cursor: Cursor = None


@dataclass(frozen=True)
class Listed:
    """A video. `state` is `ready` if it has a transcript; `problem` says why it failed. `link` opens the recording."""

    video_id: str
    title: str
    source: str
    channel: str | None
    published: datetime | None
    duration_s: float | None
    language: str | None
    state: str
    problem: str | None
    link: str
    page: str | None


@dataclass(frozen=True)
class VideosFound:
    """The newest uploads first, undated ones last. `next` is None at the end."""

    videos: tuple[Listed, ...]
    next: str | None


@dataclass(frozen=True)
class New:
    """A video and when it first became searchable."""

    video: Listed
    searchable_since: datetime


@dataclass(frozen=True)
class NewList:
    """The latest first. `next` is None at the end."""

    videos: tuple[New, ...]
    next: str | None


def videos(context: Context, asked: Videos) -> VideosFound:
    """List the videos of the library, newest upload first, also those that are on their way or failed."""
    found = context.library.video_page(asked.state, asked.source, asked.title or "", after=asked.cursor, limit=asked.limit)
    return VideosFound(tuple(_listed(context, video) for video in found.videos), found.next)


def new_videos(context: Context, asked: NewVideos) -> NewList:
    """List what is new: the videos that became searchable last, the latest first."""
    found = context.library.new_videos(asked.since, after=asked.cursor, limit=asked.limit)
    return NewList(tuple(_new(context, each) for each in found.videos), found.next)


def _new(context: Context, each: NewVideo) -> New:
    return New(_listed(context, ListedVideo(**vars(each.video))), each.searchable_since)


def _listed(context: Context, video: ListedVideo) -> Listed:
    return Listed(
        video_id=video.video_id,
        title=video.title,
        source=context.source_name(video.source),
        channel=video.channel,
        published=video.published_at,
        duration_s=video.duration_s,
        language=video.language,
        state=video.condition,
        problem=video.last_error,
        link=link_at(video.url, 0),
        page=context.page_at(video.video_id, 0),
    )
