"""Identification: decides who every local speaker of the library is, and stores the result. No Dagster.

One process at a time (lock `people`) does the following:

1. Read people.yaml. It judges no enrolment: those without a judgement are left out (samples.py).
2. Read all inputs in one snapshot, each table once (`_read`).
3. Assign every local speaker with pure functions (assignment.py).
4. Number new voices and write the rows that differ, in one transaction. If anything fails, all identities stay unchanged.

The result depends only on the centroids, enrolments and corrections, not on the order in which they came; only voice ids depend
on earlier results (voice_ids.py). The speakers of a new video are compared with all people and all other speakers, which is one
matrix product, and only the affected components are clustered again; `full=True` clusters all. Also written are the times that
corrections give to someone other than the local speaker (table `segment_overrides`), people's profiles (`person_profiles`), and
an event for each person newly named in a video (earshot/integrations/webhooks/log.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd

from earshot.config.settings import Settings, read_settings
from earshot.integrations.webhooks.log import record_named
from earshot.models.registry import Thresholds
from earshot.speakers.corrections.claims import CorrectionSet
from earshot.speakers.corrections.constraints import (
    derive_constraints,
    read_corrections,
    read_segment_overrides,
    samples_from_corrections,
)
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
from earshot.speakers.tables.person_profiles import write_profiles
from earshot.speakers.tables.voice_space import VoiceSpace, thresholds, voice_space
from earshot.speakers.voices.assignment import Assignment, Assignments, DecidedBy, assign
from earshot.speakers.voices.clustering import Clustering, empty_clustering
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.profiles import Profiles, profiles_of
from earshot.speakers.voices.speakers import Key, Speakers, kind_of
from earshot.speakers.voices.voice_ids import clusters_without_id, kept_voice_ids
from earshot.storage.database import Database
from earshot.storage.locks import PEOPLE_LOCK, lock

NO_VOICE_IDS: Mapping[Key, int] = MappingProxyType({})


@dataclass(frozen=True)
class Identified:
    """The result in counts.

    `recurring_voices`: anonymous voices in two or more videos. `unknown`: speakers by kind of reason. `of_another_model`: those
    of them whose vectors are in another voice space. `clustered`: speakers that were clustered again. `written`: rows that
    changed.
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


def identify(
    database: Database, full: bool = False, correction_id: int | None = None, restored: Mapping[Key, int] = NO_VOICE_IDS
) -> Identified:
    """Identify every local speaker and store the result. Raises Misconfigured if people.yaml is wrong.

    `correction_id` is the correction that was just entered. `restored` has the voice ids that speakers lost by a correction
    that was just undone.
    """
    settings = read_settings()
    with lock(database.url, PEOPLE_LOCK):
        sync_people(database, settings)
        reading = _read(database, settings)
        keys = reading.speakers.keys
        known = empty_clustering(len(keys)) if full else previous_clustering(keys, reading.before)
        assigned = assign(reading.speakers, reading.profiles, reading.constraints, reading.limits, known)
        ids_before = _voice_ids(reading, restored)
        after, written = _write(database, voice_space(settings), reading, ids_before, assigned, correction_id)
    return _counted(after, len(reading.profiles.people), assigned.clustered, written)


@dataclass(frozen=True)
class _Reading:
    """All inputs, from one snapshot. `before`: current identities. `former`: the last voice ids of speakers who lost one."""

    speakers: Speakers
    before: Mapping[Key, Identity]
    former: Mapping[Key, int]
    profiles: Profiles
    constraints: IdentityConstraints
    overrides: Sequence[SegmentOverride]
    limits: Thresholds


def _read(database: Database, settings: Settings) -> _Reading:
    space = voice_space(settings)
    with database.snapshot() as snapshot:
        corrections = read_corrections(snapshot)
        return _Reading(
            speakers=read_speakers(snapshot, space),
            before=read_identities(snapshot),
            former=former_numbers(snapshot),
            profiles=_profiles(snapshot, space, corrections),
            constraints=derive_constraints(corrections),
            overrides=read_segment_overrides(snapshot, corrections),
            limits=thresholds(snapshot, settings),
        )


def read_profiles(database: Database, space: VoiceSpace) -> Profiles:
    """All people's profiles in this voice space, from enrolments and corrections."""
    with database.snapshot() as snapshot:
        return _profiles(snapshot, space, read_corrections(snapshot))


def _profiles(database: Database, space: VoiceSpace, corrections: CorrectionSet) -> Profiles:
    samples = (profile_samples(database, space), samples_from_corrections(database, space, corrections))
    frames = [frame for frame in samples if not frame.empty]
    columns = ["person_id", "embedding", "seconds"]
    return profiles_of(pd.concat(frames) if frames else pd.DataFrame(columns=columns), space.dimension)


def previous_clustering(keys: Sequence[Key], before: Mapping[Key, Identity]) -> Clustering:
    """The last clustering of these speakers, as far as they were clustered."""
    clustering = empty_clustering(len(keys))
    for index, key in enumerate(keys):
        row = before.get(key)
        if row is not None and row.component is not None and row.voice_id is not None:
            clustering.component[index], clustering.cluster[index] = row.component, row.voice_id
            clustering.score[index] = np.nan if row.score is None else row.score
            clustering.margin[index] = np.nan if row.margin is None else row.margin
    return clustering


def _voice_ids(reading: _Reading, restored: Mapping[Key, int]) -> list[int | None]:
    """Each speaker's voice id so far: the restored one, else the current one, else the last one."""
    current = {key: row.voice_id for key, row in reading.before.items()}
    return [restored.get(key) or current.get(key) or reading.former.get(key) for key in reading.speakers.keys]


def _write(
    database: Database,
    space: VoiceSpace,
    reading: _Reading,
    ids_before: Sequence[int | None],
    assigned: Assignments,
    correction_id: int | None,
) -> tuple[Mapping[Key, Identity], int]:
    """Number the voices and write the rows that differ, in one transaction. Returns all identities and the number of rows."""
    speakers, before = reading.speakers, reading.before
    clusters = [decision.cluster for decision in assigned.decisions]
    kept = kept_voice_ids(clusters, ids_before)
    without_id = clusters_without_id(clusters, kept, speakers.rank.tolist())
    with database.connect() as connection:
        voice_ids = kept | dict(zip(without_id, create_voices(connection, len(without_id)), strict=True))
        after = {
            key: _identity(decision, voice_ids, space, made_at)
            for key, decision, made_at in zip(speakers.keys, assigned.decisions, speakers.made_at, strict=True)
        }
        write_segment_overrides(connection, reading.overrides)
        write_profiles(connection, space, reading.profiles)
        write_former(connection, before, after, correction_id)
        record_named(connection, _newly_named(before, after))
        return after, write_identities(connection, before, after)


def _newly_named(before: Mapping[Key, Identity], after: Mapping[Key, Identity]) -> dict[tuple[str, int], str]:
    """The videos with a person who was not known to speak there, and how that was decided: a correction comes first."""
    known = {(key[0], row.person_id) for key, row in before.items()}
    named: dict[tuple[str, int], str] = {}
    for key, row in after.items():
        if row.person_id is not None and (video := (key[0], row.person_id)) not in known:
            named[video] = min(row.decided_by, named.get(video, row.decided_by), key=lambda by: by != DecidedBy.CORRECTION)
    return named


def _identity(decision: Assignment, voice_ids: Mapping[int, int], space: VoiceSpace, made_at: datetime) -> Identity:
    return Identity(
        person_id=decision.person_id,
        voice_id=None if decision.cluster is None else voice_ids[decision.cluster],
        decided_by=decision.decided_by,
        reason=decision.reason,
        score=decision.score,
        margin=decision.margin,
        component=decision.component,
        made_at=made_at,
        **space.columns,
    )


def _counted(after: Mapping[Key, Identity], people: int, clustered: int, written: int) -> Identified:
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
    )
