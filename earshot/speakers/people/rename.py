"""Renames a person, and merges two people who are the same. earshot/speakers/people/identify.py then identifies the speakers.

Anonymous voices are named and merged by corrections instead.
"""

from dataclasses import replace

from earshot.common.errors import EarshotError
from earshot.config.names import name_key
from earshot.config.people_file import read_people
from earshot.config.settings import Settings
from earshot.speakers.corrections.constraints import derive_constraints, read_corrections
from earshot.speakers.people.forget import ForgetSummary, count_traces
from earshot.speakers.tables.people import checked_name, find_person
from earshot.speakers.tables.people_changes import merge_people, rename_person
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef


def rename(database: Database, settings: Settings, who: SpeakerRef, name: str) -> tuple[str, int]:
    """Give a person another name; returns it as stored, and the number of the change. Raises EarshotError if the name is
    invalid or another person's."""
    _refuse_listed(settings, who)
    existing = find_person(database, name)
    if existing is not None and existing.person_id != who.person_id:
        remedy = f"If the two are the same person: earshot people merge {who.name!r} {existing.name!r}"
        raise EarshotError(f"There is already a person named {existing.name}.", remedy)
    assert who.person_id is not None
    stored = checked_name(name)
    return stored, rename_person(database, who.person_id, who.name, stored)


def merge(database: Database, settings: Settings, one: SpeakerRef, into: SpeakerRef) -> tuple[ForgetSummary, int]:
    """Move all data of `one` to `into`, and delete `one`; returns the counts of what was moved, and the number of the change.

    Raises EarshotError, without changing anything, if corrections would contradict each other afterwards.
    """
    assert one.person_id is not None
    assert into.person_id is not None
    if one.person_id == into.person_id:
        raise EarshotError(f"{one.name} and {into.name} are the same person already.", "Name two people.")
    _refuse_listed(settings, one)
    _refuse_contradiction(database, one, into)
    summary = count_traces(database, one)
    return summary, merge_people(database, one.person_id, into.person_id)


def _refuse_listed(settings: Settings, who: SpeakerRef) -> None:
    """Raise EarshotError if people.yaml names this person: reading the file would add the old name again."""
    for person in read_people(settings.people):
        if name_key(person.name) == name_key(who.name):
            raise EarshotError(
                f"{settings.people}, line {person.line}, names {who.name}, and would add the name again.",
                "Change the name in the file, run `earshot people enrol`, then move the old person's data to the new one: "
                f"earshot people merge {who.name!r} NEW",
            )


def _refuse_contradiction(database: Database, one: SpeakerRef, into: SpeakerRef) -> None:
    """Raise EarshotError if corrections state that a speaker is one of them and never the other, or that they are different."""
    before = read_corrections(database)
    merged = [
        replace(correction, person_id=into.person_id) if correction.person_id == one.person_id else correction
        for correction in before.corrections
    ]
    after = replace(before, corrections=merged)
    old, new = (set(derive_constraints(corrections).contradictions.values()) for corrections in (before, after))
    added = new - old
    if added:
        raise EarshotError(
            f"{one.name} and {into.name} cannot be merged, because then {'; '.join(sorted(added))}.",
            f"Undo the wrong one: earshot people correct --undo NUMBER. `earshot people show {into.name}` lists them.",
        )
