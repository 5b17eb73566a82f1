"""People: who is known, as it is listed and shown, and what can be done with a person.

WHO is a person's name, in any capitals, or an anonymous voice: `voice 7`. After each change it is decided anew who speaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.corrections import SpeakerChange, deciding_anew
from earshot.speakers.people import forget, rename
from earshot.speakers.people.directory import list_known, resolve, show_known
from earshot.speakers.people.forget import ForgetSummary, require_unlisted
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import Database
from earshot.transcripts.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class KnownSpeaker:
    """A person, an anonymous voice, or (`kind` is `unknown`) all whose voice could not be told.

    `speakers` counts local speakers, `speech_s` their speech in seconds, `decided_by` how many of them were decided by what;
    `moments` in how many videos single turns are the person's by correction; `enrolled_s` are seconds of clean speech in the
    person's recordings, and `enrolments` how many of these have which verdict; `reasons` why the unknown are unknown.
    """

    kind: str
    name: str
    person_id: int | None
    voice_id: int | None
    videos: int
    speakers: int
    speech_s: float
    enrolled_s: float
    enrolments: Mapping[str, int]
    decided_by: Mapping[str, int]
    moments: int
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """Something that was said: when, in seconds of the recording, and a link that opens it there."""

    start_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Appearance:
    """A local speaker who is this person or voice, and why: `score` and `margin` are cosines, None where none decided.

    `first_s` is when they first speak and `link` opens it there; `excerpt` is their longest passage.
    """

    video_id: str
    title: str
    local_speaker: str
    speech_s: float
    first_s: float | None
    score: float | None
    margin: float | None
    decided_by: str
    link: str
    excerpt: Said | None


@dataclass(frozen=True)
class Moment:
    """A stretch of a speaker who is somebody else that is this person's by correction, in seconds, and what is said in it."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Enrolment:
    """A recording of the person, from `start_s` to `end_s` seconds, None for its end. `listed`: it stands in people.yaml.

    `verdict` is good, fair or refused, None where it is not judged yet; `clean_s` and `other_voice_s` are seconds, `spread` is
    the lowest cosine of a sample to their mean.
    """

    enrolment_id: int
    kind: str
    recording: str
    start_s: float
    end_s: float | None
    listed: bool
    verdict: str | None
    reasons: str | None
    clean_s: float | None
    other_voice_s: float | None
    spread: float | None


@dataclass(frozen=True)
class SpeakerDetails:
    """All about a person or a voice; `score` says what their scores are, `corrections` are in one line each, number first."""

    name: str
    person_id: int | None
    voice_id: int | None
    notes: str
    score: str
    speaks: tuple[Appearance, ...]
    moments: tuple[Moment, ...]
    enrolments: tuple[Enrolment, ...]
    corrections: tuple[str, ...]


class People:
    """`Library.people`. Each method raises EarshotError where nobody has the name, with the names that are nearly the same."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[KnownSpeaker]:
        """Each person and anonymous voice, those of most videos first; last all who are unknown, if any are."""
        return [KnownSpeaker(**row) for row in list_known(self._database, voice_space(read_settings()))]

    def show(self, who: str) -> SpeakerDetails:
        """Where they speak and why that was decided, their recordings, their corrections."""
        shown = show_known(self._database, resolve(self._database, who), voice_space(read_settings()))
        return SpeakerDetails(
            **{key: shown[key] for key in ("name", "person_id", "voice_id", "notes", "score")},
            speaks=tuple(_appearance(row) for row in shown["speaks"]),
            moments=tuple(_moment(row) for row in shown["moments"]),
            enrolments=tuple(Enrolment(**row) for row in shown["enrolments"]),
            corrections=tuple(each["told"] for each in shown["corrections"]),
        )

    def rename(self, person: str, name: str) -> SpeakerChange:
        """Give the person another name. Raises EarshotError where it is no name, somebody else's, or people.yaml names them."""
        with deciding_anew(self._database) as decision:
            kept = rename.rename(self._database, read_settings(), known_person(self._database, person), name)
        return SpeakerChange(decision.renamed, person=kept)

    def merge(self, person: str, into: str) -> SpeakerChange:
        """Make two people one, for good: `into` has the recordings, corrections and notes of `person`, whose name is gone.

        Raises EarshotError where corrections would contradict each other, and changes nothing.
        """
        with deciding_anew(self._database) as decision:
            gone, stays = known_person(self._database, person), known_person(self._database, into)
            rename.merge(self._database, read_settings(), gone, stays)
        return SpeakerChange(decision.renamed, person=stays.name)

    def remove(self, person: str) -> SpeakerChange:
        """Remove the person with recordings and corrections, for good; vectors of what they said stay. people.yaml must not
        name them."""
        with deciding_anew(self._database) as decision:
            who = known_person(self._database, person)
            require_unlisted(read_settings(), who.name)
            forget.remove(self._database, who)
        return SpeakerChange(decision.renamed, person=who.name)

    def forget(self, who: str) -> ForgetSummary:
        """Forget a person or voice for good, with every vector of it; returns how much is gone. Audio and transcripts stay.

        Raises EarshotError where people.yaml names the person, and where a run is at work on one of the videos.
        """
        known = resolve(self._database, who)
        if known.person_id is not None:
            require_unlisted(read_settings(), known.name)
        return forget.forget(self._database, known)


def known_person(database: Database, text: str) -> SpeakerRef:
    """The person of this name; raises EarshotError where nobody has it, and for an anonymous voice."""
    who = resolve(database, text)
    if who.person_id is None:
        raise EarshotError(f"{who.name} is nobody's name.", "`earshot people forget` forgets an anonymous voice.")
    return who


def _appearance(row: Mapping[str, Any]) -> Appearance:
    return Appearance(**{**row, "excerpt": Said(**row["excerpt"]) if row["excerpt"] else None})


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(**{field.name: row[field.name] for field in fields(Moment)})
