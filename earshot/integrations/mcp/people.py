"""Tools about people and voices: who there is, and where one of them speaks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from earshot.common.times import format_hms
from earshot.integrations.mcp.arguments import Arguments, Cursor, Limit, Speaker, Text
from earshot.integrations.mcp.context import Context
from earshot.library.people.overview import Kind


class PeopleAsked(Arguments):
    """The arguments of `people`."""

    name: Annotated[Text | None, Field(description="With this text in the name; or the number of a voice.")] = None
    kind: Annotated[Kind | None, Field(description="`person`: has a name; `voice`: has none yet.")] = None
    limit: Limit = 20
    cursor: Cursor = None


class Appearances(Arguments):
    """The arguments of `appearances`."""

    who: Speaker
    limit: Limit = 20
    cursor: Cursor = None


@dataclass(frozen=True)
class Known:
    """A person, an anonymous voice, or all unknown speakers together. `speech_s` is in seconds."""

    name: str
    kind: Kind
    videos: int
    speech_s: float


@dataclass(frozen=True)
class KnownList:
    """Those who speak most first. `next` is None at the end."""

    people: tuple[Known, ...]
    next: str | None


@dataclass(frozen=True)
class HeardIn:
    """A video in which a person or voice speaks for `speech_s` seconds. `time` is when they first speak, to which `link` and
    `page` lead. `decided_by` says how they were identified."""

    video_id: str
    title: str
    published: datetime | None
    speech_s: float
    time: str
    decided_by: str
    link: str
    page: str | None


@dataclass(frozen=True)
class AppearanceList:
    """The newest videos first. `next` is None at the end."""

    who: str
    videos: tuple[HeardIn, ...]
    next: str | None


def people(context: Context, asked: PeopleAsked) -> KnownList:
    """List the people and the anonymous voices of the library, those who speak most first."""
    found = context.library.people.browse(asked.kind, asked.name or "", asked.cursor, asked.limit)
    return KnownList(tuple(Known(each.name, each.kind, each.videos, each.seconds) for each in found.people), found.next)


def appearances(context: Context, asked: Appearances) -> AppearanceList:
    """List the videos in which a person or voice speaks, newest first, with links to when they first do."""
    found = context.library.people.places(asked.who, asked.cursor, asked.limit)
    videos = tuple(
        HeardIn(
            place.video_id,
            place.title,
            place.published_at,
            place.seconds,
            format_hms(place.first_s or 0),
            place.decided_by,
            place.link,
            context.page_at(place.video_id, place.first_s or 0),
        )
        for place in found.places
    )
    return AppearanceList(asked.who, videos, found.next)
