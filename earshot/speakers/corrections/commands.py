"""Entering corrections: what a user says becomes a correction, or is refused because it contradicts what was said before.

A correction that could not be true together with earlier ones is not kept: the message numbers them and says how to take one
back. One exception: a later `is` takes the time that it covers out of earlier ones (earshot/speakers/corrections/claims.py), so
that a changed mind needs no undoing. Who everybody is then is decided by earshot/speakers/people/identify.py, not here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from earshot.common.errors import EarshotError
from earshot.common.text import MAX_NUMBERS, join_numbers
from earshot.speakers.corrections.constraints import find_conflicts, read_corrections
from earshot.speakers.corrections.targets import Target, describe_correction, split_in_two, subtract
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, CorrectionKind, add_correction, list_corrections
from earshot.speakers.tables.people import add_person, checked_name, find_person, names_of_people
from earshot.storage.database import Database

NEW_PERSON = 0  # stands for a person who is to be added; ids begin at 1


@dataclass(frozen=True)
class CorrectionResult:
    """A correction that was kept. `person`: the name, where it names one, and whether it is new; `over`: whom it overrules."""

    number: int
    person: str | None = None
    new_person: bool = False
    over: tuple[int, ...] = ()


def assign_person(database: Database, subject: Target, name: str) -> CorrectionResult:
    """`subject` is spoken by this person, who is added where nobody has the name."""
    return _about_person(database, CorrectionKind.IS, subject, name)


def exclude_person(database: Database, subject: Target, name: str) -> CorrectionResult:
    """`subject` is never this person, who must be known."""
    _require_whole_speaker(subject)
    if find_person(database, name) is None:
        raise EarshotError(f"Nobody is called {name!r}, so nobody is taken for them.", "`earshot people list` shows all.")
    return _about_person(database, CorrectionKind.NEVER, subject, name)


def merge_voices(database: Database, one: Target, other: Target) -> CorrectionResult:
    """The two are one voice."""
    _require_whole_speaker(one, other)
    if set(one.speakers) == set(other.speakers):
        raise EarshotError(f"{one.label} and {other.label} are one already.", "Name two voices.")
    return _about_voices(database, CorrectionKind.SAME, one, other)


def separate_voices(database: Database, one: Target, other: Target) -> CorrectionResult:
    """Nobody of the one is anybody of the other. A part of the one, named as the other, is what differs from its rest."""
    _require_whole_speaker(one, other)
    rest = subtract(database, one, other)
    if not rest.speakers:
        raise EarshotError(f"{one.label} and {other.label} are one speaker.", "Name two voices.")
    return _about_voices(database, CorrectionKind.DIFFERENT, rest, other)


def split_voice(database: Database, voice_id: int) -> tuple[CorrectionResult, Target, Target]:
    """The two parts that this anonymous voice was joined from last are two voices; returned with the parts."""
    one, other = split_in_two(database, voice_id)
    return _about_voices(database, CorrectionKind.DIFFERENT, one, other), one, other


def _about_person(database: Database, kind: CorrectionKind, subject: Target, name: str) -> CorrectionResult:
    checked_name(name)
    known = find_person(database, name)
    new, earlier = _checked(database, kind, known.person_id if known else NEW_PERSON, subject.spans)
    over = _overruled(earlier, new) if kind == CorrectionKind.IS else ()
    person = known or add_person(database, name)
    number = add_correction(database, kind, person.person_id, subject.spans)
    return CorrectionResult(number, person.name, known is None, over)


def _about_voices(database: Database, kind: CorrectionKind, one: Target, other: Target) -> CorrectionResult:
    _checked(database, kind, None, one.spans, other.spans)
    return CorrectionResult(add_correction(database, kind, None, one.spans, other.spans))


def _require_whole_speaker(*subjects: Target) -> None:
    for subject in subjects:
        if subject.turn:
            video_id, speaker = subject.speakers[0]
            raise EarshotError(
                f"{subject.label} is a single turn, of which only --is can be said.", f"Name its speaker: {video_id}@{speaker}."
            )


def _checked(
    database: Database,
    kind: CorrectionKind,
    person_id: int | None,
    spans: tuple[CorrectedSpan, ...],
    others: tuple[CorrectedSpan, ...] = (),
) -> tuple[Correction, Sequence[Correction]]:
    """The correction, numbered above all earlier ones, and those. Raises EarshotError where it contradicts them."""
    earlier = list_corrections(database)
    new = Correction(max((each.correction_id for each in earlier), default=0) + 1, kind, person_id, spans, others)
    conflicts = find_conflicts(read_corrections(database, [*earlier, new]), new.correction_id)
    if not conflicts:
        return new, earlier
    people = names_of_people(database)
    told = "; ".join(describe_correction(each, people) for each in earlier if each.correction_id in conflicts[:MAX_NUMBERS])
    known = f"correction{'s'[: len(conflicts) != 1]} {join_numbers(conflicts)}"
    raise EarshotError(
        f"That contradicts {known} ({told}), so it was not kept.",
        f"Take back what is wrong, then say it again: earshot people correct --undo {conflicts[-1]}",
    )


def _overruled(earlier: Sequence[Correction], new: Correction) -> tuple[int, ...]:
    """The corrections that gave some of this time to other people."""
    mine: defaultdict[str, list[CorrectedSpan]] = defaultdict(list)
    for span in new.spans:
        mine[span.video_id].append(span)
    others = (each for each in earlier if each.kind == new.kind and each.person_id != new.person_id)
    return tuple(
        each.correction_id
        for each in others
        if any(span.start_s < own.end_s and own.start_s < span.end_s for span in each.spans for own in mine[span.video_id])
    )
