"""Corrections: what a user says is wrong about who speaks, each with a number by which it is taken back.

WHAT is a voice (`voice 7`), a speaker of a video (`VIDEO@SPEAKER_01`) or the turn at a time (`VIDEO@0:12:30`), as
`earshot people correct` takes it: earshot/speakers/corrections/targets.py. After each change it is decided anew who speaks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from earshot.common.errors import EarshotError
from earshot.library.lookup import known_video
from earshot.speakers.corrections.commands import (
    CorrectionResult,
    assign_person,
    exclude_person,
    merge_voices,
    separate_voices,
    split_voice,
)
from earshot.speakers.corrections.targets import Target, describe_correction, parse_target
from earshot.speakers.people.directory import describe_changes, labels
from earshot.speakers.people.identify import PEOPLE_LOCK, identify
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, list_corrections, remove_correction
from earshot.speakers.tables.identities import former_numbers
from earshot.speakers.tables.people import names_of_people
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.storage.locks import lock
from earshot.transcripts.speaker_names import parse_voice_label


@dataclass(frozen=True)
class ListedCorrection:
    """A correction that holds: `is` or `never` this person, or that `spans` and `others` are the `same` voice or `different`.

    A higher number was said later. `description` is it in one line, its number first.
    """

    number: int
    kind: str
    person: str | None
    spans: tuple[CorrectedSpan, ...]
    others: tuple[CorrectedSpan, ...]
    description: str


@dataclass(frozen=True)
class SpeakerChange:
    """What came of a change: a sentence for each name that speakers have now and had not before, such as `2 speakers in 1
    video are now Ana.`

    `number` is that of the correction it left, None where it left none. `person` is whom it is about, None where it is about
    voices only; `new_person` says that nobody had the name. `overruled` are the earlier corrections that it takes time from.
    """

    renamed: tuple[str, ...]
    number: int | None = None
    person: str | None = None
    new_person: bool = False
    overruled: tuple[int, ...] = ()


@dataclass
class Decision:
    """What is decided anew: set `said` to the correction entered in the block, or `undone` to the voice numbers that the one
    taken back had cost. After it `renamed` has what changed, a sentence for each name."""

    said: int | None = None
    undone: Mapping[Key, int] = field(default_factory=dict)
    renamed: tuple[str, ...] = ()


@contextmanager
def deciding_anew(database: Database) -> Iterator[Decision]:
    """Decide anew who speaks, after what is changed in the block; no other process changes anything meanwhile."""
    with lock(database.url, PEOPLE_LOCK):
        before, decision = labels(database), Decision()
        yield decision
        identify(database, correction_id=decision.said, restored=decision.undone)
        decision.renamed = tuple(describe_changes(before, labels(database)))


class Corrections:
    """`Library.corrections`. Each method raises EarshotError for a voice, speaker or time that is not there, and where the
    correction would contradict an earlier one: then nothing is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, video: str | None = None) -> Sequence[ListedCorrection]:
        """All corrections, oldest first; or what they say of this video, by key or title, without the spans in others."""
        people = names_of_people(self._database)
        video_id = None if video is None else known_video(self._database, video).video_id
        return [
            ListedCorrection(
                each.correction_id,
                each.kind,
                people.get(each.person_id or 0),
                each.spans,
                each.others,
                describe_correction(each, people),
            )
            for each in _of_video(list_corrections(self._database), video_id)
        ]

    def assign(self, what: str, person: str) -> SpeakerChange:
        """This person speaks, who is added where nobody has the name."""
        return self._enter(lambda: assign_person(self._database, self._target(what), person))

    def exclude(self, what: str, person: str) -> SpeakerChange:
        """This person, who must be known, never speaks there. Not for a single turn."""
        return self._enter(lambda: exclude_person(self._database, self._target(what), person))

    def merge_voices(self, one: str, other: str) -> SpeakerChange:
        """The two are one voice. Not for a single turn."""
        return self._enter(lambda: merge_voices(self._database, self._target(one), self._target(other)))

    def separate_voices(self, one: str, other: str) -> SpeakerChange:
        """The two are two voices. Not for a single turn."""
        return self._enter(lambda: separate_voices(self._database, self._target(one), self._target(other)))

    def split_voice(self, voice: str) -> SpeakerChange:
        """This anonymous voice is two: it is divided where it was joined last."""
        return self._enter(lambda: split_voice(self._database, anonymous_voice(voice))[0])

    def undo(self, number: int) -> SpeakerChange:
        """Take the correction of this number back; `person` is who goes with it, since nothing else was said of that person."""
        with deciding_anew(self._database) as decision:
            decision.undone = former_numbers(self._database, number)
            person = remove_correction(self._database, number)
        return SpeakerChange(decision.renamed, person=person)

    def _target(self, what: str) -> Target:
        return parse_target(self._database, what)

    def _enter(self, enter: Callable[[], CorrectionResult]) -> SpeakerChange:
        """Add a correction and decide anew who speaks."""
        with deciding_anew(self._database) as decision:
            entered = enter()
            decision.said = entered.number
        return SpeakerChange(decision.renamed, entered.number, entered.person, entered.new_person, entered.over)


def _of_video(corrections: Sequence[Correction], video_id: str | None) -> Iterator[Correction]:
    """Those that speak of this video, with their spans in it alone; all of them if it is None."""
    for correction in corrections:
        if video_id is None:
            yield correction
            continue
        spans, others = (
            tuple(span for span in side if span.video_id == video_id) for side in (correction.spans, correction.others)
        )
        if spans or others:
            yield replace(correction, spans=spans, others=others)


def anonymous_voice(text: str) -> int:
    """7 of `voice 7`; raises EarshotError for anything else."""
    number = parse_voice_label(text)
    if number is None:
        raise EarshotError(f"{text!r} is no anonymous voice, and only those are split.", "Name one, such as 'voice 7'.")
    return number
