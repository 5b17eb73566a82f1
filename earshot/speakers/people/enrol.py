"""Enrolling: recordings are examined and told, and only then used; by hand, or those of people.yaml.

`examine()` judges them and holds each against the profiles of everybody known. One that is as near to somebody else as one
voice is would have the two taken for each other; one that is far from what is known of the same name may be another person's.
Both are warnings, not verdicts: they depend on all people, so they are not kept. `enrol()` keeps what was not refused.
`enrol_listed()` judges what people.yaml has and no judgement was made of, and `alike()` finds who sounds like whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earshot.common.errors import EarshotError
from earshot.common.excerpt import Excerpt
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import PEOPLE_LOCK, read_profiles
from earshot.speakers.people.samples import Judgement, enrol_pending, open_recording, take_samples
from earshot.speakers.tables.enrolments import Quality, Samples, keep_within
from earshot.speakers.tables.people import (
    Person,
    add_enrolment,
    add_person_within,
    find_person,
    list_people,
    overlapping,
    sync_people,
)
from earshot.speakers.tables.voice_space import VoiceSpace, thresholds, voice_space
from earshot.speakers.voices.cosine import as_cosine, on_grid, products
from earshot.speakers.voices.enrolment_quality import profile
from earshot.storage.database import Database
from earshot.storage.locks import holding


@dataclass(frozen=True)
class Likeness:
    """How near an excerpt is to what is known of somebody: the cosine to that profile."""

    person_id: int
    cosine: float


@dataclass(frozen=True)
class Examined:
    """An excerpt with its quality and samples; who else it is as near to as one voice is, nearest first; and how near to the
    person's own recordings so far, None where there are none. Of a refused excerpt neither is asked."""

    excerpt: Excerpt
    quality: Quality
    samples: Samples
    near: tuple[Likeness, ...] = ()
    own: float | None = None


@dataclass(frozen=True)
class Carried:
    """How many local speakers carry somebody's name, in how many videos."""

    speakers: int
    videos: int


def examine(database: Database, name: str, excerpts: Sequence[Excerpt]) -> list[Examined]:
    """Judge excerpts of one recording for the person of this name. Nothing is kept.

    Raises RecordingUnusable or a VideoError where it cannot be read, and EarshotError where a part of it is enrolled already.
    """
    space = voice_space(read_settings())
    person = find_person(database, name)
    _refuse_enrolled(database, person, excerpts)
    recording = open_recording(database, excerpts[0])
    found = [(excerpt, *take_samples(database, space, recording, excerpt)) for excerpt in excerpts]
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
) -> Examined:
    profiles = read_profiles(database, space)
    if quality.refused or not len(profiles.people):
        return Examined(excerpt, quality, samples)
    mean = on_grid(profile(samples.vectors, samples.seconds)[None])
    cosines = np.asarray(as_cosine(products(mean, profiles.vectors)[0])).tolist()
    by_person = dict(zip(profiles.people.tolist(), cosines, strict=True))
    own = by_person.pop(person.person_id, None) if person else None
    limit = thresholds(database, read_settings()).threshold
    near = sorted((-cosine, person_id) for person_id, cosine in by_person.items() if cosine >= limit)
    return Examined(excerpt, quality, samples, tuple(Likeness(person_id, -cosine) for cosine, person_id in near), own)


def enrol(database: Database, name: str, notes: str, examined: Sequence[Examined]) -> Person:
    """Keep what was not refused, and the person with it, in one transaction. One at least was not refused."""
    space = voice_space(read_settings())
    with database.connect() as connection:
        person = add_person_within(connection, name, notes)
        for each in examined:
            if not each.quality.refused:
                enrolment_id = add_enrolment(connection, person.person_id, each.excerpt, listed=False)
                keep_within(connection, enrolment_id, space, each.quality, each.samples)
    return person


def enrol_listed(database: Database) -> list[Judgement]:
    """Judge what is in people.yaml, or was left pending. Raises Misconfigured where the file is wrong."""
    with holding(database.url, PEOPLE_LOCK):
        sync_people(database, read_settings())
        return enrol_pending(database)


def alike(database: Database) -> list[tuple[Person, Person, float]]:
    """Pairs of people whose profiles are as near as one voice is, with their cosine, nearest first."""
    settings = read_settings()
    profiles, people = read_profiles(database, voice_space(settings)), {each.person_id: each for each in list_people(database)}
    cosines = np.triu(as_cosine(products(profiles.vectors, profiles.vectors)), 1)
    pairs = np.argwhere(cosines >= thresholds(database, settings).threshold).tolist()
    found = [(people[profiles.people[i]], people[profiles.people[j]], float(cosines[i, j])) for i, j in pairs]
    return sorted(found, key=lambda pair: -pair[2])


def carried(database: Database, person: Person | None) -> Carried:
    """Who carries the person's name now; nobody, where there is no such person."""
    rows = database.query(
        "SELECT count(*) AS speakers, count(DISTINCT video_id) AS videos FROM identities WHERE person_id = %s",
        [person.person_id if person else None],
    )
    return Carried(**rows[0])
