"""Enrolment: judges recordings of people, and keeps those that are good enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from earshot.common.excerpt import Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.enrol import (
    AssessedExcerpt,
    NameUsage,
    count_usage,
    enrol,
    similar_people,
)
from earshot.speakers.people.identify import identify
from earshot.speakers.people.samples import Assessment
from earshot.speakers.tables.people import Person, checked_name, find_person, names_of_people, sync_people
from earshot.speakers.tables.voice_space import thresholds
from earshot.speakers.voices.enrolment_quality import Quality
from earshot.storage.database import Database
from ingest_assets.operations.enrol import assess_excerpts, assess_people_file
from resources.instance.home import open_instance

__all__ = [
    "AssessedExcerpt",
    "Assessment",
    "ListedEnrolments",
    "NameUsage",
    "PersonEnrolment",
    "Quality",
    "checked_name",
    "judge_listed",
]


class PersonEnrolment:
    """The enrolment of one person: `assess()` their recordings, then `keep()` those that were not refused.

    `person` is None if the name is new. `threshold` is the cosine from which two voices count as one person.
    """

    def __init__(self, database: Database, name: str) -> None:
        settings = read_settings()
        sync_people(database, settings)
        self._database, self._name = database, name
        self._person = find_person(database, name)
        self._assessed: Sequence[AssessedExcerpt] = ()
        self.threshold = thresholds(database, settings).threshold
        self.names = names_of_people(database)

    @property
    def person(self) -> Person | None:
        return self._person

    @property
    def usage(self) -> NameUsage:
        """How many speakers, in how many videos, have the person's name now."""
        return count_usage(self._database, self._person)

    def assess(self, excerpts: Sequence[Excerpt]) -> Sequence[AssessedExcerpt]:
        """Judge these excerpts of one recording, by asset `enrolments`. Raises EarshotError if it cannot be read or overlaps an
        enrolment."""
        self._assessed = assess_excerpts(self._database, open_instance(), self._name, excerpts)
        return self._assessed

    def keep(self, notes: str = "") -> Sequence[AssessedExcerpt]:
        """Store the excerpts that were not refused, which are returned, and identify all speakers again."""
        kept = [assessed for assessed in self._assessed if not assessed.quality.refused]
        if kept:
            self._person = enrol(self._database, self._name, notes, kept)
            identify(self._database)
        return kept


@dataclass(frozen=True)
class ListedEnrolments:
    """The new recordings in people.yaml as judged, each with its person's name; and pairs of people who sound alike, with the
    cosine of their voices."""

    judged: tuple[tuple[str, Assessment], ...]
    alike: tuple[tuple[str, str, float], ...]


def judge_listed(database: Database) -> ListedEnrolments:
    """Judge the new recordings in people.yaml, keep those that are good enough, and identify all speakers again."""
    assessments, names = assess_people_file(database, open_instance()), names_of_people(database)
    alike = tuple((first.name, second.name, cosine) for first, second, cosine in similar_people(database))
    identify(database)
    return ListedEnrolments(tuple((names[each.enrolment.person_id], each) for each in assessments), alike)
