"""Places: the videos in which a person or voice speaks, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from earshot.common.errors import EarshotError
from earshot.storage.database import Database
from earshot.transcripts.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class Place:
    """A local speaker of a video who is this person or voice, and what decided that, with the cosine if there is one.

    `first_s` is when they first speak.
    """

    video_id: str
    title: str
    published_at: datetime | None
    local_speaker: str
    seconds: float
    first_s: float | None
    decided_by: str
    score: float | None


@dataclass(frozen=True)
class PlaceList:
    """A page of places; `next` is the cursor of the next page, None on the last one."""

    places: tuple[Place, ...]
    next: str | None


def list_places(database: Database, who: SpeakerRef, after: str | None, limit: int) -> PlaceList:
    """The places after this cursor. Raises EarshotError for a cursor that is none."""
    time, speaker, video = _position(after) if after else (None, "", "")
    rows = database.query(
        """
        SELECT i.*, coalesce(l.speech_s, 0) AS seconds, (SELECT min(t.start_s) FROM turns t
            WHERE (t.video_id, t.local_speaker) = (i.video_id, i.local_speaker)) AS first_s
        FROM (
            SELECT video_id, title, published_at, local_speaker, decided_by, score FROM identities JOIN videos USING (video_id)
            WHERE (person_id = %(person)s OR voice_id = %(voice)s) AND (%(time)s::timestamptz IS NULL
                OR coalesce(published_at, '-infinity') < %(time)s OR (coalesce(published_at, '-infinity') = %(time)s
                AND (video_id, local_speaker) > (%(video)s, %(speaker)s)))
            ORDER BY coalesce(published_at, '-infinity') DESC, video_id, local_speaker LIMIT %(limit)s
        ) i LEFT JOIN local_speakers l USING (video_id, local_speaker)
        ORDER BY coalesce(published_at, '-infinity') DESC, video_id, local_speaker
        """,
        {
            "person": who.person_id,
            "voice": who.voice_id,
            "time": time,
            "video": video,
            "speaker": speaker,
            "limit": limit + 1,
        },
    )
    places = tuple(Place(**row) for row in rows[:limit])
    return PlaceList(places, _cursor(places[-1]) if len(rows) > limit else None)


def _cursor(place: Place) -> str:
    time = place.published_at.isoformat() if place.published_at else "-infinity"
    return f"{time}~{place.local_speaker}~{place.video_id}"


def _position(cursor: str) -> tuple[str, str, str]:
    try:
        time, speaker, video = cursor.split("~", 2)
        if time != "-infinity":
            datetime.fromisoformat(time)
    except ValueError:
        raise EarshotError(f"{cursor!r} is no place in the list.", "Use `next` of an earlier answer.") from None
    return time, speaker, video
