"""People and anonymous voices: list, show, rename, merge, remove and forget them.

WHO is a person's name, whose letter case is ignored, or an anonymous voice: `voice 7`. Each change identifies all speakers
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.corrections import SpeakerChange, identifying_again
from earshot.speakers.people import forget, rename
from earshot.speakers.people.directory import list_known, resolve, show_known
from earshot.speakers.people.forget import ForgetSummary, count_traces, require_unlisted
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.database import Database
from earshot.transcripts.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class KnownSpeaker:
    """A person, an anonymous voice, or (`kind` is `unknown`) all unidentified speakers.

    `speakers` is the number of local speakers, `speech_s` their speech in seconds, and `decided_by` counts them by the basis of
    the decision. `moments` is the number of videos in which corrections give single turns to the person. `enrolled_s` is the
    clean speech in the person's recordings, and `enrolments` counts these by verdict. `reasons` counts why the unknown are
    unknown.
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
class Quote:
    """A passage: its text, its start in seconds of the recording, and a link that opens the video there."""

    start_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Appearance:
    """A local speaker who is this person or voice, and why: `score` and `margin` are cosines, None if none was computed.

    `first_s` is when they first speak; `link` opens the video there. `excerpt` is their longest passage.
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
    excerpt: Quote | None


@dataclass(frozen=True)
class Moment:
    """A part of another speaker's speech that corrections give to this person: its interval in seconds, and its text."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    text: str
    link: str


@dataclass(frozen=True)
class Enrolment:
    """A recording of the person from `start_s` to `end_s` seconds (None: to its end). `listed`: it comes from people.yaml.

    `verdict` is good, fair or refused, None until it is judged; `clean_s` and `other_voice_s` are seconds, `spread` is the
    lowest cosine of a sample to the mean of all samples.
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
    """A person or voice in detail. `score` explains the scores; each correction is one line that begins with its number."""

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
    """`Library.people`. Each method raises EarshotError, with the nearest name, if no person has the name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[KnownSpeaker]:
        """Each person and anonymous voice, those with most videos first; last, one row for all unknown speakers, if any."""
        return [KnownSpeaker(**row) for row in list_known(self._database, voice_space(read_settings()))]

    def show(self, who: str) -> SpeakerDetails:
        """Where a person or voice speaks and why that was decided, with their recordings and corrections."""
        shown = show_known(self._database, resolve(self._database, who), voice_space(read_settings()))
        return SpeakerDetails(
            **{key: shown[key] for key in ("name", "person_id", "voice_id", "notes", "score")},
            speaks=tuple(_appearance(row) for row in shown["speaks"]),
            moments=tuple(_moment(row) for row in shown["moments"]),
            enrolments=tuple(Enrolment(**row) for row in shown["enrolments"]),
            corrections=tuple(correction["told"] for correction in shown["corrections"]),
        )

    def traces(self, who: str) -> ForgetSummary:
        """What the library has of a person or voice: what `forget()` would delete, and, except for vectors, `remove()`."""
        return count_traces(self._database, resolve(self._database, who))

    def require_unlisted(self, who: str) -> None:
        """Raise EarshotError if people.yaml lists the person, who can then be neither removed nor forgotten."""
        known = resolve(self._database, who)
        if known.person_id is not None:
            require_unlisted(read_settings(), known.name)

    def rename(self, person: str, name: str) -> SpeakerChange:
        """Rename a person. Raises EarshotError if the name is not allowed or taken, or if people.yaml lists the person."""
        with identifying_again(self._database) as identification:
            who = known_person(self._database, person)
            stored_name = rename.rename(self._database, read_settings(), who, name)
        return SpeakerChange(f"Renamed {who.name} to {stored_name}.", identification.renamed, person=stored_name)

    def merge(self, person: str, into: str) -> SpeakerChange:
        """Merge `person` into `into`, which takes over their recordings, corrections and notes. This cannot be undone.

        Raises EarshotError, and changes nothing, if corrections would contradict each other.
        """
        with identifying_again(self._database) as identification:
            gone, stays = known_person(self._database, person), known_person(self._database, into)
            moved = rename.merge(self._database, read_settings(), gone, stays)
        message = f"Merged {gone.name} into {stays.name}: {moved} moved."
        return SpeakerChange(message, identification.renamed, person=stays.name)

    def remove(self, person: str) -> SpeakerChange:
        """Remove a person with their recordings and corrections; the vectors of their voice in videos stay. This cannot be
        undone. Raises EarshotError if people.yaml lists the person."""
        with identifying_again(self._database) as identification:
            who = known_person(self._database, person)
            self.require_unlisted(who.name)
            removed = forget.remove(self._database, who)
        return SpeakerChange(f"Removed {who.name}, {removed}.", identification.renamed, person=who.name)

    def forget(self, who: str) -> ForgetSummary:
        """Forget a person or voice, with every vector of the voice; returns what was deleted. Audio and transcripts stay.

        This cannot be undone. Raises EarshotError if people.yaml lists the person, or if one of the videos has an active run.
        """
        self.require_unlisted(who)
        return forget.forget(self._database, resolve(self._database, who))


def known_person(database: Database, text: str) -> SpeakerRef:
    """The person with this name; raises EarshotError if there is none, also for an anonymous voice."""
    who = resolve(database, text)
    if who.person_id is None:
        raise EarshotError(
            f"{who.name} is an anonymous voice, not a person.",
            "Name it with `earshot people correct`, or delete it with `earshot people forget`.",
        )
    return who


def _appearance(row: Mapping[str, Any]) -> Appearance:
    return Appearance(**{**row, "excerpt": Quote(**row["excerpt"]) if row["excerpt"] else None})


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(**{field.name: row[field.name] for field in fields(Moment)})
