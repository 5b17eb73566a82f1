"""People and voices by how much they speak: a page of the list at a time, from table `speaker_totals`.

The whole list, with how each was decided, is earshot/speakers/people/directory.py.
"""

from dataclasses import dataclass
from typing import Any, Literal

from earshot.common.errors import Unknown, WrongCursor
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import UNKNOWN, parse_voice_label, voice_label
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

Kind = Literal["person", "voice", "unknown"]


@dataclass(frozen=True)
class ListedSpeaker:
    """A person, an anonymous voice (`voice` is its number), or all unknown speakers together; `seconds` of speech.

    `after` is the cursor of the rows that follow.
    """

    kind: Kind
    name: str
    voice: int | None
    videos: int
    speakers: int
    seconds: float
    after: str


@dataclass(frozen=True)
class SpeakerList:
    """A page of the list; `next` is the cursor of the next page, None on the last one."""

    people: tuple[ListedSpeaker, ...]
    next: str | None


def list_speakers(database: Database, kind: Kind | None, text: str, after: str | None, limit: int) -> SpeakerList:
    """Those who speak most first, of this kind, with this text in the name or of this voice, after this cursor.

    Raises EarshotError for a cursor that is none.
    """
    voice = parse_voice_label(text if not text.strip().isdecimal() else f"voice {text.strip()}")
    parameters = {"kind": kind, "text": " ".join(text.split()), "voice": voice, "limit": limit + 1}
    conditions = ["true"]
    if kind is not None:
        conditions.append("kind = %(kind)s")
    if parameters["text"]:
        conditions.append("(id, kind) = (%(voice)s, 'voice')" if voice is not None else _NAMED)
    if after is not None:
        parameters |= _position(after)
        # The first is for the index.
        conditions += ["-speech_s >= %(speech)s", "(-speech_s, kind, id) > (%(speech)s, %(after_kind)s, %(after_id)s)"]
    rows = database.query(f"{_ROWS} WHERE {' AND '.join(conditions)} ORDER BY -speech_s, kind, id LIMIT %(limit)s", parameters)
    people = tuple(_listed(row) for row in rows[:limit])
    return SpeakerList(people, people[-1].after if len(rows) > limit else None)


_ROWS = (
    "SELECT kind, id, name, videos, speakers, speech_s AS seconds FROM speaker_totals "
    "LEFT JOIN people ON kind = 'person' AND person_id = id"
)
_NAMED = "kind = 'person' AND strpos(lower(name), lower(%(text)s)) > 0"


def find_listed(database: Database, who: SpeakerRef) -> ListedSpeaker:
    """The row of this person or voice. Raises Unknown if they are gone meanwhile."""
    kind = "voice" if who.person_id is None else "person"
    rows = database.query(f"{_ROWS} WHERE (kind, id) = (%s, %s)", [kind, who.person_id or who.voice_id])
    if not rows:
        raise Unknown(f"{who.name} is gone.", "`earshot people list` shows all people and voices.")
    return _listed(rows[0])


def count_kinds(database: Database) -> dict[str, int]:
    """How many people and anonymous voices there are, and unknown speakers."""
    [row] = database.query(
        "SELECT (SELECT count(*) FROM people) AS person, (SELECT count(*) FROM speaker_totals WHERE kind = 'voice') AS voice, "
        "(SELECT coalesce(sum(speakers), 0) FROM speaker_totals WHERE kind = 'unknown')::bigint AS unknown"
    )
    return row


def _position(cursor: str) -> dict[str, Any]:
    try:
        speech, kind, number = cursor.split("~")
        return {"speech": float(speech), "after_kind": kind, "after_id": int(number[:18])}
    except ValueError:
        raise WrongCursor(cursor) from None


def _listed(row: dict[str, Any]) -> ListedSpeaker:
    number = row.pop("id")
    voice = number if row["kind"] == "voice" else None
    row["name"] = row["name"] or (UNKNOWN.shown if voice is None else voice_label(voice))
    return ListedSpeaker(**row, voice=voice, after=f"{-row['seconds']!r}~{row['kind']}~{number}")
