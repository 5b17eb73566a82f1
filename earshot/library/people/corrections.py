"""Corrections of who speaks: list, enter and undo them by their numbers; and what was changed by whom.

WHAT is a voice (`voice 7`), a speaker of a video (`VIDEO@SPEAKER_01`) or the turn at a time (`VIDEO@0:12:30`), as for
`earshot people correct` (earshot/speakers/corrections/targets.py). Each change identifies all speakers again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from earshot.common.errors import EarshotError
from earshot.common.text import join_numbers
from earshot.library.lookup import known_video
from earshot.library.people.changes import SpeakerChange, identifying_again
from earshot.speakers.browsing.history import ChangeHistory, describe_change, read_history
from earshot.speakers.corrections.commands import (
    CorrectionResult,
    assign_person,
    exclude_person,
    merge_voices,
    separate_voices,
    split_voice,
)
from earshot.speakers.corrections.listing import ListedCorrection, listed
from earshot.speakers.corrections.targets import Target, parse_target
from earshot.speakers.people.directory import suggest
from earshot.speakers.tables.corrections import Correction, list_corrections, remove_correction
from earshot.speakers.tables.identities import former_numbers
from earshot.speakers.tables.people import names_of_people
from earshot.speakers.tables.people_changes import find_change, undo_change
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import parse_voice_label, voice_label


class Corrections:
    """`Library.corrections`. Each method raises EarshotError, and changes nothing, if the voice, speaker or time does not exist
    or if the correction would contradict an earlier one. `made_by` is stored with each; by default, the system's user."""

    def __init__(self, database: Database, made_by: str | None = None) -> None:
        self._database, self._made_by = database, made_by

    def list(self, video: str | None = None) -> Sequence[ListedCorrection]:
        """All corrections, oldest first; or those about this video (key or title), with only their spans in it."""
        people = names_of_people(self._database)
        video_id = None if video is None else known_video(self._database, video).video_id
        return [listed(correction, people) for correction in _of_video(list_corrections(self._database), video_id)]

    def history(self, before: int | None = None, limit: int = 50) -> ChangeHistory:
        """Corrections, renames and merges of people that hold, the newest first; those with a number below `before`."""
        return read_history(self._database, before, limit)

    def assign(self, what: str, person: str) -> SpeakerChange:
        """Say that this person speaks; a new name adds a person."""

        def enter() -> tuple[CorrectionResult, str]:
            subject, suggestion = self._target(what), suggest(self._database, person)
            entered = assign_person(self._database, subject, person)
            return entered, _describe_assignment(subject, entered, suggestion)

        return self._enter(enter)

    def exclude(self, what: str, person: str) -> SpeakerChange:
        """Say that this known person never speaks there. Not for a single turn."""

        def enter() -> tuple[CorrectionResult, str]:
            subject = self._target(what)
            entered = exclude_person(self._database, subject, person)
            return entered, f"{subject.description} is never {entered.person}."

        return self._enter(enter)

    def merge_voices(self, one: str, other: str) -> SpeakerChange:
        """Say that the two are one voice. Not for a single turn."""
        return self._about_voices(merge_voices, one, other, "one voice")

    def separate_voices(self, one: str, other: str) -> SpeakerChange:
        """Say that the two are different voices. Not for a single turn."""
        return self._about_voices(separate_voices, one, other, "two voices")

    def split_voice(self, voice: str) -> SpeakerChange:
        """Split this anonymous voice in two, at its last merge."""
        number = anonymous_voice(voice)

        def enter() -> tuple[CorrectionResult, str]:
            entered, first, second = split_voice(self._database, number)
            parts = f"One is in {_videos_of(first)}.\nThe other is in {_videos_of(second)}."
            return entered, f"{voice_label(number)} is two voices.\n{parts}"

        return self._enter(enter)

    def undo(self, number: int) -> SpeakerChange:
        """Undo this correction, or rename or merge of people. The result's `person` was removed with it, because nothing else
        mentions them."""
        change = find_change(self._database, number)
        if change is not None:
            with identifying_again(self._database) as identification:
                undo_change(self._database, change)
            return SpeakerChange(f"Undid change {number}: {describe_change(change)}", identification.renamed)
        with identifying_again(self._database) as identification:
            identification.former_numbers = former_numbers(self._database, number)
            person = remove_correction(self._database, number)
        removed = f" Removed {person}, whom nothing else mentions." if person else ""
        return SpeakerChange(f"Undid correction {number}.{removed}", identification.renamed, person=person)

    def _about_voices(
        self, correct: Callable[[Database, Target, Target], CorrectionResult], one: str, other: str, claim: str
    ) -> SpeakerChange:
        def enter() -> tuple[CorrectionResult, str]:
            first, second = self._target(one), self._target(other)
            return correct(self._database, first, second), f"{first.description} and {second.description} are {claim}."

        return self._enter(enter)

    def _target(self, what: str) -> Target:
        return parse_target(self._database, what)

    def _enter(self, enter: Callable[[], tuple[CorrectionResult, str]]) -> SpeakerChange:
        """Enter a correction, which is described in the result, and identify all speakers again."""
        with identifying_again(self._database, self._made_by) as identification:
            entered, claim = enter()
            identification.correction = entered.number
        message = f"Correction {entered.number}: {claim}"
        return SpeakerChange(
            message, identification.renamed, entered.number, entered.person, entered.new_person, entered.overruled
        )


def _describe_assignment(subject: Target, entered: CorrectionResult, suggestion: str) -> str:
    lines = [f"{subject.description} is {entered.person}."]
    if entered.new_person:
        lines.append(f"{entered.person} is a new person. {suggestion}".strip())
    if entered.overruled:
        lines.append(f"It overrides correction {join_numbers(entered.overruled)} where they overlap.")
    if subject.turn:
        lines.append(f"Only this turn is {entered.person}'s; the rest of its speaker is not affected.")
    return "\n".join(lines)


def _videos_of(part: Target) -> str:
    return ", ".join(dict.fromkeys(video_id for video_id, _ in part.speakers))


def _of_video(corrections: Sequence[Correction], video_id: str | None) -> Iterator[Correction]:
    """The corrections about this video, with only their spans in it; all of them if it is None."""
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
    """The number of `voice 7`; raises EarshotError for anything else."""
    number = parse_voice_label(text)
    if number is None:
        raise EarshotError(f"{text!r} is not an anonymous voice, and only these can be split.", "Name one, such as 'voice 7'.")
    return number
