"""Enrolling: assesses recordings of a person, and stores the good ones; from the command line or from people.yaml.

`assess()` judges excerpts and compares each with all profiles. An excerpt at the threshold to another person's profile would
get the two people confused; one below it to the person's own profile may be of another person. Both are warnings only and not
stored, because they depend on all people. `enrol()` stores excerpts that were not refused. `assess_listed()` judges enrolments
that have no judgement yet, and `similar_people()` finds people who sound alike. Models are the caller's: asset `enrolments`
measures them (ingest_assets/assets/enrolments.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earshot.common.errors import EarshotError
from earshot.common.excerpt import Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import read_profiles
from earshot.speakers.people.samples import (
    Assessment,
    EnrolmentAudio,
    VoiceModels,
    assess_pending,
    extract_samples,
    open_recording,
    times_inside,
)
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
from earshot.storage.locks import PEOPLE_LOCK, lock


@dataclass(frozen=True)
class Similarity:
    """The cosine of an excerpt to a person's profile."""

    person_id: int
    cosine: float


@dataclass(frozen=True)
class AssessedExcerpt:
    """An excerpt with its quality and samples, and how it compares with the profiles.

    `similar`: other people at the threshold or above, nearest first. `own_cosine`: the cosine to the person's own profile, None
    without one. A refused excerpt is not compared.
    """

    excerpt: Excerpt
    quality: Quality
    samples: Samples
    similar: tuple[Similarity, ...] = ()
    own_cosine: float | None = None


@dataclass(frozen=True)
class NameUsage:
    """The number of local speakers with a person's name, and of their videos."""

    speakers: int
    videos: int


def open_unenrolled(database: Database, name: str, excerpts: Sequence[Excerpt]) -> EnrolmentAudio:
    """The recording of these excerpts, to be enrolled for the person of this name.

    Raises RecordingUnusable or a VideoError if it cannot be read or is too short, and EarshotError if it overlaps an enrolment.
    """
    _refuse_enrolled(database, find_person(database, name), excerpts)
    recording = open_recording(database, excerpts[0])
    for excerpt in excerpts:
        times_inside(excerpt, recording.duration_s)
    return recording


def assess(
    database: Database, name: str, recording: EnrolmentAudio, excerpts: Sequence[Excerpt], models: VoiceModels
) -> list[AssessedExcerpt]:
    """Judge excerpts of one recording for the person of this name. Stores nothing."""
    space, person = voice_space(read_settings()), find_person(database, name)
    extracted = [(excerpt, *extract_samples(database, space, recording, excerpt, models)) for excerpt in excerpts]
    return [_compared(database, space, person, *parts) for parts in extracted]


def _refuse_enrolled(database: Database, person: Person | None, excerpts: Sequence[Excerpt]) -> None:
    for other, known in overlapping(database, excerpts):
        if person is None or other.person_id != person.person_id:
            raise EarshotError(
                f"{known.times} of this recording is already enrolled for {other.name}.",
                "A part of a recording belongs to one person: choose other times, or remove that enrolment first.",
            )
        if known not in excerpts:
            raise EarshotError(f"{known.times} of this recording is already enrolled.", "Choose times outside it.")


def _compared(
    database: Database, space: VoiceSpace, person: Person | None, excerpt: Excerpt, quality: Quality, samples: Samples
) -> AssessedExcerpt:
    """Compare an excerpt with all profiles, unless it was refused."""
    profiles = read_profiles(database, space)
    if quality.refused or not len(profiles.people):
        return AssessedExcerpt(excerpt, quality, samples)
    mean = quantize(mean_direction(samples.vectors, samples.seconds)[None])
    cosines = np.asarray(as_cosine(quantized_dot(mean, profiles.vectors)[0])).tolist()
    by_person = dict(zip(profiles.people.tolist(), cosines, strict=True))
    own_cosine = by_person.pop(person.person_id, None) if person else None
    limit = thresholds(database, read_settings()).threshold
    similar = [Similarity(person_id, cosine) for person_id, cosine in by_person.items() if cosine >= limit]
    similar.sort(key=lambda other: (-other.cosine, other.person_id))
    return AssessedExcerpt(excerpt, quality, samples, tuple(similar), own_cosine)


def enrol(database: Database, name: str, notes: str, assessed: Sequence[AssessedExcerpt]) -> Person:
    """Store the excerpts that were not refused, and the person, in one transaction. At least one must not be refused."""
    space = voice_space(read_settings())
    with database.transaction() as whole, whole.connect() as connection:
        person = add_person(whole, name, notes)
        for one in assessed:
            if not one.quality.refused:
                enrolment_id = add_enrolment(connection, person.person_id, one.excerpt, listed=False)
                save_assessment(whole, enrolment_id, space, one.quality, one.samples)
    return person


def assess_listed(database: Database, models: VoiceModels) -> list[Assessment]:
    """Read people.yaml and judge all pending enrolments. Raises Misconfigured if the file is wrong."""
    with lock(database.url, PEOPLE_LOCK):
        sync_people(database, read_settings())
        return assess_pending(database, models)


def similar_people(database: Database) -> list[tuple[Person, Person, float]]:
    """Pairs of people whose profiles are at the threshold or above, with their cosine, nearest first."""
    settings = read_settings()
    profiles = read_profiles(database, voice_space(settings))
    people = {person.person_id: person for person in list_people(database)}
    cosines = np.triu(as_cosine(quantized_dot(profiles.vectors, profiles.vectors)), 1)
    pairs = np.argwhere(cosines >= thresholds(database, settings).threshold).tolist()
    similar = [(people[profiles.people[i]], people[profiles.people[j]], float(cosines[i, j])) for i, j in pairs]
    return sorted(similar, key=lambda pair: -pair[2])


def count_usage(database: Database, person: Person | None) -> NameUsage:
    """How many speakers have this person's name now; zero for None."""
    rows = database.query(
        "SELECT count(*) AS speakers, count(DISTINCT video_id) AS videos FROM identities WHERE person_id = %s",
        [person.person_id if person else None],
    )
    return NameUsage(**rows[0])
