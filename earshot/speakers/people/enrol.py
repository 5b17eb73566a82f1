"""Enrolling: recordings are examined and told, and only then used; by hand, or those of people.yaml.

`assess()` judges them and holds each against the profiles of everybody known. One that is as near to somebody else as one
voice is would have the two taken for each other; one that is far from what is known of the same name may be another person's.
Both are warnings, not verdicts: they depend on all people, so they are not kept. `enrol()` keeps what was not refused.
`enrol_listed()` judges what people.yaml has and no judgement was made of, and `similar_people()` finds who sounds like whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earshot.common.errors import EarshotError
from earshot.common.excerpt import Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import PEOPLE_LOCK, read_profiles
from earshot.speakers.people.samples import Assessment, assess_pending, extract_samples, open_recording
from earshot.speakers.tables.enrolments import save_assessment
from earshot.speakers.tables.people import (
    Person,
    add_enrolment,
    add_person,
    find_person,
    list_people,
    overlapping,
    sync_people,
)
from earshot.speakers.tables.voice_space import VoiceSpace, thresholds, voice_space
from earshot.speakers.voices.cosine import as_cosine, mean_direction, quantize, quantized_dot
from earshot.speakers.voices.enrolment_quality import Quality, Samples
from earshot.storage.database import Database
from earshot.storage.locks import lock


@dataclass(frozen=True)
class Similarity:
    """How near an excerpt is to what is known of somebody: the cosine to that profile."""

    person_id: int
    cosine: float


@dataclass(frozen=True)
class AssessedExcerpt:
    """An excerpt with its quality and samples; who else it is as near to as one voice is, nearest first; and how near to the
    person's own recordings so far, None where there are none. Of a refused excerpt neither is asked."""

    excerpt: Excerpt
    quality: Quality
    samples: Samples
    near: tuple[Similarity, ...] = ()
    own: float | None = None


@dataclass(frozen=True)
class NameUsage:
    """How many local speakers carry somebody's name, in how many videos."""

    speakers: int
    videos: int


def assess(database: Database, name: str, excerpts: Sequence[Excerpt]) -> list[AssessedExcerpt]:
    """Judge excerpts of one recording for the person of this name. Nothing is kept.

    Raises RecordingUnusable or a VideoError where it cannot be read, and EarshotError where a part of it is enrolled already.
    """
    space = voice_space(read_settings())
    person = find_person(database, name)
    _refuse_enrolled(database, person, excerpts)
    recording = open_recording(database, excerpts[0])
    found = [(excerpt, *extract_samples(database, space, recording, excerpt)) for excerpt in excerpts]
    return [_compared(database, space, person, *each) for each in found]


def _refuse_enrolled(database: Database, person: Person | None, excerpts: Sequence[Excerpt]) -> None:
    for other, known in overlapping(database, excerpts):
        if person is None or other.person_id != person.person_id:
            raise EarshotError(
                f"{known.times} of this recording is enrolled for {other.name} already.",
                "A part of a recording has one person speaking in it, alone: name other times, or remove that first.",
            )
        if known not in excerpts:
            raise EarshotError(f"{known.times} of this recording is enrolled already.", "Name times outside of it.")


def _compared(
    database: Database, space: VoiceSpace, person: Person | None, excerpt: Excerpt, quality: Quality, samples: Samples
) -> AssessedExcerpt:
    profiles = read_profiles(database, space)
    if quality.refused or not len(profiles.people):
        return AssessedExcerpt(excerpt, quality, samples)
    mean = quantize(mean_direction(samples.vectors, samples.seconds)[None])
    cosines = np.asarray(as_cosine(quantized_dot(mean, profiles.vectors)[0])).tolist()
    by_person = dict(zip(profiles.people.tolist(), cosines, strict=True))
    own = by_person.pop(person.person_id, None) if person else None
    limit = thresholds(database, read_settings()).threshold
    near = sorted((-cosine, person_id) for person_id, cosine in by_person.items() if cosine >= limit)
    return AssessedExcerpt(excerpt, quality, samples, tuple(Similarity(person_id, -cosine) for cosine, person_id in near), own)


def enrol(database: Database, name: str, notes: str, examined: Sequence[AssessedExcerpt]) -> Person:
    """Keep what was not refused, and the person with it, in one transaction. One at least was not refused."""
    space = voice_space(read_settings())
    with database.transaction() as whole, whole.connect() as connection:
        person = add_person(whole, name, notes)
        for each in examined:
            if not each.quality.refused:
                enrolment_id = add_enrolment(connection, person.person_id, each.excerpt, listed=False)
                save_assessment(whole, enrolment_id, space, each.quality, each.samples)
    return person


def enrol_listed(database: Database) -> list[Assessment]:
    """Judge what is in people.yaml, or was left pending. Raises Misconfigured where the file is wrong."""
    with lock(database.url, PEOPLE_LOCK):
        sync_people(database, read_settings())
        return assess_pending(database)


def similar_people(database: Database) -> list[tuple[Person, Person, float]]:
    """Pairs of people whose profiles are as near as one voice is, with their cosine, nearest first."""
    settings = read_settings()
    profiles, people = read_profiles(database, voice_space(settings)), {each.person_id: each for each in list_people(database)}
    cosines = np.triu(as_cosine(quantized_dot(profiles.vectors, profiles.vectors)), 1)
    pairs = np.argwhere(cosines >= thresholds(database, settings).threshold).tolist()
    found = [(people[profiles.people[i]], people[profiles.people[j]], float(cosines[i, j])) for i, j in pairs]
    return sorted(found, key=lambda pair: -pair[2])


def count_usage(database: Database, person: Person | None) -> NameUsage:
    """Who carries the person's name now; nobody, where there is no such person."""
    rows = database.query(
        "SELECT count(*) AS speakers, count(DISTINCT video_id) AS videos FROM identities WHERE person_id = %s",
        [person.person_id if person else None],
    )
    return NameUsage(**rows[0])
