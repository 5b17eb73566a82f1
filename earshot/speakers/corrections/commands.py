"""Correction commands: store a correction, or refuse one that contradicts earlier corrections.

The error lists the contradicted corrections and says how to undo one. A new `is` never contradicts an earlier `is` of the same
time: it overrules it (earshot/speakers/corrections/claims.py), so a user can change a name without undoing anything.
earshot/speakers/people/identify.py then identifies the speakers; nothing here does.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from earshot.common.errors import EarshotError
from earshot.common.text import MAX_NUMBERS, join_numbers
from earshot.speakers.corrections.constraints import find_conflicts, read_corrections
from earshot.speakers.corrections.listing import describe_correction
from earshot.speakers.corrections.targets import Target, split_in_two, subtract
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, CorrectionKind, add_correction, list_corrections
from earshot.speakers.tables.people import add_person, checked_name, find_person, names_of_people
from earshot.storage.database import Database

NEW_PERSON = 0  # id of a person who is not stored yet; real ids begin at 1


@dataclass(frozen=True)
class CorrectionResult:
    """A stored correction, with the person it names if any. `overruled` has the ids of earlier corrections."""

    number: int
    person: str | None = None
    new_person: bool = False
    overruled: tuple[int, ...] = ()


def assign_person(database: Database, subject: Target, name: str) -> CorrectionResult:
    """State that `subject` is this person, who is added if the name is unknown."""
    return _about_person(database, CorrectionKind.IS, subject, name)


def exclude_person(database: Database, subject: Target, name: str) -> CorrectionResult:
    """State that `subject` is never this person. Raises EarshotError if the name is unknown."""
    _require_whole_speaker(subject)
    if find_person(database, name) is None:
        raise EarshotError(f"There is no person named {name!r}.", "`earshot people list` shows all people.")
    return _about_person(database, CorrectionKind.NEVER, subject, name)


def merge_voices(database: Database, first: Target, second: Target) -> CorrectionResult:
    """State that the two are one voice."""
    _require_whole_speaker(first, second)
    if set(first.speakers) == set(second.speakers):
        raise EarshotError(f"{first.label} and {second.label} are the same voice already.", "Name two voices.")
    return _about_voices(database, CorrectionKind.SAME, first, second)


def separate_voices(database: Database, first: Target, second: Target) -> CorrectionResult:
    """State that no speaker of `first` is in `second`. If `second` is a part of `first`, it is separated from the rest."""
    _require_whole_speaker(first, second)
    rest = subtract(database, first, second)
    if not rest.speakers:
        raise EarshotError(f"{first.label} and {second.label} are the same speaker.", "Name two voices.")
    return _about_voices(database, CorrectionKind.DIFFERENT, rest, second)


def split_voice(database: Database, voice_id: int) -> tuple[CorrectionResult, Target, Target]:
    """Separate the two parts that clustering would join last into this anonymous voice. Also returns the two parts."""
    first, second = split_in_two(database, voice_id)
    return _about_voices(database, CorrectionKind.DIFFERENT, first, second), first, second


def _about_person(database: Database, kind: CorrectionKind, subject: Target, name: str) -> CorrectionResult:
    checked_name(name)
    known = find_person(database, name)
    new, earlier = _checked(database, kind, known.person_id if known else NEW_PERSON, subject.spans)
    over = _overruled(earlier, new) if kind == CorrectionKind.IS else ()
    person = known or add_person(database, name)
    number = add_correction(database, kind, person.person_id, subject.spans)
    return CorrectionResult(number, person.name, known is None, over)


def _about_voices(database: Database, kind: CorrectionKind, first: Target, second: Target) -> CorrectionResult:
    _checked(database, kind, None, first.spans, second.spans)
    return CorrectionResult(add_correction(database, kind, None, first.spans, second.spans))


def _require_whole_speaker(*subjects: Target) -> None:
    for subject in subjects:
        if subject.turn:
            video_id, speaker = subject.speakers[0]
            raise EarshotError(
                f"{subject.label} is a single turn, which only --is accepts.", f"Name its speaker: {video_id}@{speaker}."
            )


def _checked(
    database: Database,
    kind: CorrectionKind,
    person_id: int | None,
    spans: tuple[CorrectedSpan, ...],
    others: tuple[CorrectedSpan, ...] = (),
) -> tuple[Correction, Sequence[Correction]]:
    """The correction, with an id above all earlier ones, and those. Raises EarshotError if it contradicts any of them."""
    earlier = list_corrections(database)
    new = Correction(max((old.correction_id for old in earlier), default=0) + 1, kind, person_id, spans, others)
    conflicts = find_conflicts(read_corrections(database, [*earlier, new]), new.correction_id)
    if not conflicts:
        return new, earlier
    people = names_of_people(database)
    described = "; ".join(describe_correction(old, people) for old in earlier if old.correction_id in conflicts[:MAX_NUMBERS])
    numbered = f"correction{'s'[: len(conflicts) != 1]} {join_numbers(conflicts)}"
    raise EarshotError(
        f"Not saved: this contradicts {numbered} ({described}).",
        f"Undo the wrong one, then try again: earshot people correct --undo {conflicts[-1]}",
    )


def _overruled(earlier: Sequence[Correction], new: Correction) -> tuple[int, ...]:
    """The ids of the corrections that name other people in some of the new one's time."""
    new_spans: defaultdict[str, list[CorrectedSpan]] = defaultdict(list)
    for span in new.spans:
        new_spans[span.video_id].append(span)
    others = (old for old in earlier if old.kind == new.kind and old.person_id != new.person_id)
    return tuple(
        old.correction_id
        for old in others
        if any(
            span.start_s < added.end_s and added.start_s < span.end_s
            for span in old.spans
            for added in new_spans[span.video_id]
        )
    )
