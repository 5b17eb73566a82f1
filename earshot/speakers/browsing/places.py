"""Places: the videos in which a person or voice speaks, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from earshot.common.errors import WrongCursor
from earshot.common.times import link_at
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class Place:
    """A local speaker of a video who is this person or voice, and what decided that, with the cosine if there is one.

    `first_s` is when they first speak; `link` opens the recording there.
    """

    video_id: str
    title: str
    published_at: datetime | None
    local_speaker: str
    seconds: float
    first_s: float | None
    decided_by: str
    score: float | None
    link: str


@dataclass(frozen=True)
class PlaceList:
    """A page of places; `next` is the cursor of the next page, None on the last one."""

    places: tuple[Place, ...]
    next: str | None


_NEWEST = "coalesce(published_at, '-infinity')"  # as in the index videos_newest
_AFTER = f"""
    AND ({_NEWEST}, registered_at, video_id) <= (%(newest)s::timestamptz, %(registered)s::timestamptz, %(video)s)
    AND (video_id <> %(video)s OR local_speaker > %(speaker)s)
"""
# The order is the one of an index of videos: of a person who is in many, only the newest are read.
_PLACES = f"""
    SELECT i.*, coalesce(l.speech_s, 0) AS seconds, (SELECT min(t.start_s) FROM turns t
        WHERE (t.video_id, t.local_speaker) = (i.video_id, i.local_speaker)) AS first_s
    FROM (
        SELECT video_id, title, url, published_at, local_speaker, decided_by, score,
            ({_NEWEST})::text AS newest, registered_at::text AS registered
        FROM identities JOIN videos USING (video_id)
        WHERE (person_id = %(person)s OR voice_id = %(voice)s) {{after}}
        ORDER BY {_NEWEST} DESC, registered_at DESC, video_id DESC, local_speaker LIMIT %(limit)s
    ) i LEFT JOIN local_speakers l USING (video_id, local_speaker)
    ORDER BY {_NEWEST} DESC, registered::timestamptz DESC, video_id DESC, local_speaker
"""  # noqa: S608


def list_places(database: Database, who: SpeakerRef, after: str | None, limit: int) -> PlaceList:
    """The places after this cursor. Raises EarshotError for a cursor that is none."""
    parameters = {"person": who.person_id, "voice": who.voice_id, "limit": limit + 1, **(_position(after) if after else {})}
    rows = database.query(_PLACES.format(after=_AFTER if after else ""), parameters)
    cursors = [_cursor(row) for row in rows]
    return PlaceList(tuple(_place(row) for row in rows[:limit]), cursors[limit - 1] if len(rows) > limit else None)


def _place(row: dict[str, Any]) -> Place:
    link = link_at(row.pop("url"), row["first_s"] or 0)
    return Place(**row, link=link)


def _cursor(row: dict[str, Any]) -> str:
    """The row's cursor, without which it is a Place."""
    return f"{row.pop('newest')}~{row.pop('registered')}~{row['local_speaker']}~{row['video_id']}"


def _position(cursor: str) -> dict[str, str]:
    try:
        newest, registered, speaker, video = cursor.split("~", 3)
        for time in (newest, registered):
            if time != "-infinity":
                datetime.fromisoformat(time)
    except ValueError:
        raise WrongCursor(cursor) from None
    return {"newest": newest, "registered": registered, "speaker": speaker, "video": video}
