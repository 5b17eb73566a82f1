"""Identification: who every local speaker of the library is, from what is there to what is written. No Dagster.

The order of it, one process at a time (lock `people`): people.yaml is read, and enrolments that were not judged yet are. Then
everything that decides is read in one snapshot, each table once (`_read`); every local speaker is decided by pure functions
(assignment.py); and in one transaction new voices get numbers and the rows that differ are written. Whatever fails, every
identity stays as it was.

It is a function of all centroids, enrolments and corrections alone, in whatever order they came; only the numbers of voices
remember the past (voice_ids.py). One more video is held against the people and against all other speakers, which is a
matrix product, and only the components that it touches are clustered again; `full=True` clusters all. The segments in which a
correction has somebody else speak than the local speaker is are written too (table `segment_overrides`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd

from earshot.config.settings import Settings, read_settings
from earshot.models.registry import Thresholds
from earshot.speakers.corrections.claims import CorrectionSet
from earshot.speakers.corrections.constraints import (
    derive_constraints,
    read_corrections,
    read_segment_overrides,
    samples_from_corrections,
)
from earshot.speakers.people.samples import assess_pending
from earshot.speakers.tables.enrolments import profile_samples
from earshot.speakers.tables.identities import (
    OTHER_MODEL,
    Identity,
    SegmentOverride,
    create_voices,
    former_numbers,
    read_identities,
    read_speakers,
    write_former,
    write_identities,
    write_segment_overrides,
)
from earshot.speakers.tables.people import sync_people
from earshot.speakers.tables.voice_space import VoiceSpace, thresholds, voice_space
from earshot.speakers.voices.assignment import Assignment, Assignments, DecidedBy, assign, kind_of
from earshot.speakers.voices.clustering import Clustering, empty_clustering
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.profiles import Profiles, profiles_of
from earshot.speakers.voices.speakers import Key, Speakers
from earshot.speakers.voices.voice_ids import clusters_without_id, kept_voice_ids
from earshot.storage.database import Database
from earshot.storage.locks import lock

PEOPLE_LOCK = "people"
NOTHING: Mapping[Key, int] = MappingProxyType({})


@dataclass(frozen=True)
class Identified:
    """What came of it, in counts.

    `recurring_voices` are anonymous voices in two videos or more; `unknown` are speakers by kind of reason; `of_another_model`
    those of them whose vectors today's model cannot be compared with; `clustered` how many speakers had to be clustered again,
    `written` how many rows had changed; `judgements` how many enrolments were judged, or could not be.
    """

    speakers: int
    people: int
    by_correction: int
    by_profile: int
    voices: int
    recurring_voices: int
    unknown: Mapping[str, int]
    of_another_model: int
    clustered: int
    written: int
    judgements: int


def identify(
    database: Database, full: bool = False, said: int | None = None, undone: Mapping[Key, int] = NOTHING
) -> Identified:
    """Decide every local speaker, and write down who it is. Raises Misconfigured where people.yaml is wrong.

    `said` is the correction that was entered just now; `undone` are the voice numbers that one which was taken back had cost.
    """
    settings = read_settings()
    with lock(database.url, PEOPLE_LOCK):
        sync_people(database, settings)
        judgements = assess_pending(database)
        reading = _read(database, settings)
        keys = reading.speakers.keys
        known = empty_clustering(len(keys)) if full else previous_clustering(keys, reading.before)
        decided = assign(reading.speakers, reading.profiles, reading.constraints, reading.limits, known)
        after, written = _write(database, voice_space(settings), reading, _numbers(reading, undone), decided, said)
    return _counted(after, len(reading.profiles.people), decided.clustered, written, len(judgements))


@dataclass(frozen=True)
class _Reading:
    """All that is decided from, as it was at one moment: `before` are the identities, `former` the last numbers of voices."""

    speakers: Speakers
    before: Mapping[Key, Identity]
    former: Mapping[Key, int]
    profiles: Profiles
    constraints: IdentityConstraints
    overrides: Sequence[SegmentOverride]
    limits: Thresholds


def _read(database: Database, settings: Settings) -> _Reading:
    space = voice_space(settings)
    with database.snapshot() as then:
        said = read_corrections(then)
        return _Reading(
            speakers=read_speakers(then, space),
            before=read_identities(then),
            former=former_numbers(then),
            profiles=_profiles(then, space, said),
            constraints=derive_constraints(said),
            overrides=read_segment_overrides(then, said),
            limits=thresholds(then, settings),
        )


def read_profiles(database: Database, space: VoiceSpace) -> Profiles:
    """Everybody's profile in this voice space, from enrolments and from what corrections teach."""
    with database.snapshot() as then:
        return _profiles(then, space, read_corrections(then))


def _profiles(database: Database, space: VoiceSpace, said: CorrectionSet) -> Profiles:
    samples = (profile_samples(database, space), samples_from_corrections(database, space, said))
    known = [frame for frame in samples if not frame.empty]
    columns = ["person_id", "embedding", "seconds"]
    return profiles_of(pd.concat(known) if known else pd.DataFrame(columns=columns), space.dimension)


def previous_clustering(keys: Sequence[Key], before: Mapping[Key, Identity]) -> Clustering:
    """How these speakers were clustered last time, as far as they were."""
    found = empty_clustering(len(keys))
    for index, key in enumerate(keys):
        row = before.get(key)
        if row is not None and row.component is not None and row.voice_id is not None:
            found.component[index], found.cluster[index] = row.component, row.voice_id
            found.score[index] = np.nan if row.score is None else row.score
            found.margin[index] = np.nan if row.margin is None else row.margin
    return found


def _numbers(reading: _Reading, undone: Mapping[Key, int]) -> list[int | None]:
    """The number of each speaker's voice: the one that undo gives back, else its own, else the last that it had."""
    own = {key: row.voice_id for key, row in reading.before.items()}
    return [undone.get(key) or own.get(key) or reading.former.get(key) for key in reading.speakers.keys]


def _write(
    database: Database,
    space: VoiceSpace,
    reading: _Reading,
    numbers_before: Sequence[int | None],
    decided: Assignments,
    said: int | None,
) -> tuple[Mapping[Key, Identity], int]:
    """Number the voices and write what differs, in one transaction; who everybody is now, and how many rows differed."""
    speakers, before = reading.speakers, reading.before
    clusters = [decision.cluster for decision in decided.decisions]
    kept = kept_voice_ids(clusters, numbers_before)
    waiting = clusters_without_id(clusters, kept, speakers.rank.tolist())
    with database.connect() as connection:
        numbers = kept | dict(zip(waiting, create_voices(connection, len(waiting)), strict=True))
        after = {
            key: _identity(decision, numbers, space, made_at)
            for key, decision, made_at in zip(speakers.keys, decided.decisions, speakers.made_at, strict=True)
        }
        write_segment_overrides(connection, reading.overrides)
        write_former(connection, before, after, said)
        return after, write_identities(connection, before, after)


def _identity(decision: Assignment, numbers: Mapping[int, int], space: VoiceSpace, made_at: datetime) -> Identity:
    return Identity(
        person_id=decision.person_id,
        voice_id=None if decision.cluster is None else numbers[decision.cluster],
        decided_by=decision.decided_by,
        reason=decision.reason,
        score=decision.score,
        margin=decision.margin,
        component=decision.component,
        made_at=made_at,
        **space.columns,
    )


def _counted(after: Mapping[Key, Identity], people: int, clustered: int, written: int, judgements: int) -> Identified:
    rows = after.values()
    videos = Counter(voice for _, voice in {(key[0], row.voice_id) for key, row in after.items() if row.voice_id is not None})
    unknown = Counter(kind_of(row.reason) for row in rows if row.decided_by == DecidedBy.NOTHING)
    return Identified(
        speakers=len(after),
        people=people,
        by_correction=sum(row.person_id is not None and row.decided_by == DecidedBy.CORRECTION for row in rows),
        by_profile=sum(row.person_id is not None and row.decided_by == DecidedBy.PROFILE for row in rows),
        voices=len(videos),
        recurring_voices=sum(count > 1 for count in videos.values()),
        unknown=dict(sorted(unknown.items())),
        of_another_model=unknown[OTHER_MODEL],
        clustered=clustered,
        written=written,
        judgements=judgements,
    )
