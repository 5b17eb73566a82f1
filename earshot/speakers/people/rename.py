"""Renaming people, and merging two that are one. Who everybody is then is decided by earshot/speakers/people/identify.py, not
here.

Neither is for anonymous voices: those are named, and said to be one, by corrections.
"""

from dataclasses import replace

from earshot.common.errors import EarshotError
from earshot.config.names import name_key
from earshot.config.people_file import read_people
from earshot.config.settings import Settings
from earshot.speakers.corrections.constraints import derive_constraints, read_corrections
from earshot.speakers.people.forget import ForgetSummary, count_traces
from earshot.speakers.tables.people import find_person, merge_people, rename_person
from earshot.storage.database import Database
from earshot.transcripts.speaker_refs import SpeakerRef


def rename(database: Database, settings: Settings, who: SpeakerRef, name: str) -> str:
    """Give a person another name; returns it as it is kept. Raises EarshotError where it is no name, or another person's."""
    _refuse_listed(settings, who)
    there = find_person(database, name)
    if there is not None and there.person_id != who.person_id:
        remedy = f"If the two are one person: earshot people merge {who.name!r} {there.name!r}"
        raise EarshotError(f"There is a {there.name} already.", remedy)
    assert who.person_id is not None
    return rename_person(database, who.person_id, name)


def merge(database: Database, settings: Settings, one: SpeakerRef, into: SpeakerRef) -> ForgetSummary:
    """Give all that is known of the one person to the other, and remove the one; returns how much that is.

    Raises EarshotError where corrections would contradict each other, and changes nothing.
    """
    assert one.person_id is not None
    assert into.person_id is not None
    if one.person_id == into.person_id:
        raise EarshotError(f"{one.name} and {into.name} are one person already.", "Name two people.")
    _refuse_listed(settings, one)
    _refuse_contradiction(database, one, into)
    counted = count_traces(database, one)
    merge_people(database, one.person_id, into.person_id)
    return counted


def _refuse_listed(settings: Settings, who: SpeakerRef) -> None:
    for person in read_people(settings.people):
        if name_key(person.name) == name_key(who.name):
            raise EarshotError(
                f"{settings.people}, line {person.line}, names {who.name}, and would bring the name back.",
                "Change the name in the file, run `earshot people enrol`, then give the new name all that is known of the old: "
                f"earshot people merge {who.name!r} NEW",
            )


def _refuse_contradiction(database: Database, one: SpeakerRef, into: SpeakerRef) -> None:
    """Where something says that the one speaks and that the other never does, or that they are two voices."""
    before = read_corrections(database)
    merged = [
        replace(each, person_id=into.person_id) if each.person_id == one.person_id else each for each in before.corrections
    ]
    after = replace(before, corrections=merged)
    now, then = (set(derive_constraints(said).contradictions.values()) for said in (before, after))
    broken = then - now
    if broken:
        raise EarshotError(
            f"{one.name} and {into.name} cannot be one person: then {'; '.join(sorted(broken))}.",
            f"Take back what is wrong: earshot people correct --undo NUMBER. `earshot people show {into.name}` lists them.",
        )
