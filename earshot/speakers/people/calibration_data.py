"""Calibration data: reads the speakers that a calibration compares, and stores the threshold that the user accepts.

The speakers are the local speakers of videos, with their clear turns that have a vector in the current voice space, and the
enrolments in use, with their samples. Their identities come from corrections (earshot/speakers/corrections/constraints.py) and
from the enrolments themselves, never from decisions of the asset `people`. From a large library, MAX_VIDEOS chosen by the hash
of their ids are read, plus all videos with corrections.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from earshot.speakers.corrections.conflicts import SameVoiceGroups
from earshot.speakers.corrections.constraints import derive_constraints, read_corrections
from earshot.speakers.people.identify import Identified, identify
from earshot.speakers.tables.voice_space import VoiceSpace, accept_threshold, count_other_spaces, in_space
from earshot.speakers.voices.calibration import Calibration, CalibrationSpeaker
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database

MAX_VIDEOS = 500  # with ten speakers each, 22,500 pairs of two people: enough for a reliable rate of 0.002


@dataclass(frozen=True)
class CalibrationData:
    """The speakers; how many videos were read, how many have voices, and how many are in another voice space."""

    speakers: Sequence[CalibrationSpeaker]
    videos_read: int
    videos: int
    other_spaces: int


def read_calibration_data(database: Database, space: VoiceSpace) -> CalibrationData:
    """The speakers to compare in this voice space."""
    constraints = derive_constraints(read_corrections(database))
    identities = known_identities(constraints)
    chosen, videos = _videos(database, space, {video_id for video_id, _ in identities})
    left_out = constraints.contradictions.keys()
    rows = [row for row in _turns(database, space, chosen) if (row["recording"], row["name"]) not in left_out]
    speakers = [*_speakers(rows, identities, enrolled=False), *_speakers(_samples(database, space), {}, enrolled=True)]
    return CalibrationData(speakers, len(chosen), videos, count_other_spaces(database, space))


def known_identities(constraints: IdentityConstraints) -> dict[Key, int]:
    """The person_id of each named speaker; for a group of unnamed speakers with the same voice, a shared negative number."""
    identities, groups = dict(constraints.named), SameVoiceGroups(dict(enumerate(map(frozenset, constraints.same))))
    distinct = dict.fromkeys(groups.group_of(key) for pair in sorted(constraints.same) for key in pair)
    for number, group in enumerate(distinct, start=1):
        if not any(key in identities for key in group):
            identities |= dict.fromkeys(group, -number)
    return identities


def _videos(database: Database, space: VoiceSpace, wanted: set[str]) -> tuple[list[str], int]:
    """The wanted videos and the first MAX_VIDEOS by hash; and how many videos there are in the space."""
    rows = database.query(
        in_space("SELECT DISTINCT video_id, md5(video_id) AS place FROM local_speakers WHERE {in_space} ORDER BY place"),
        space.columns,
    )
    ids = [row["video_id"] for row in rows]
    return [video_id for index, video_id in enumerate(ids) if index < MAX_VIDEOS or video_id in wanted], len(ids)


def _turns(database: Database, space: VoiceSpace, video_ids: Sequence[str]) -> list[dict[str, Any]]:
    return database.query(
        in_space(
            "SELECT v.video_id AS recording, local_speaker AS name, embedding, end_s - start_s AS seconds "
            "FROM voice_embeddings v JOIN turns USING (video_id, turn_index) WHERE v.video_id = ANY(%(videos)s) "
            "AND condition = 'clear' AND {in_space} AND vector_norm(embedding) > 0 "
            "ORDER BY v.video_id, local_speaker, turn_index"
        ),
        {**space.columns, "videos": list(video_ids)},
    )


def _samples(database: Database, space: VoiceSpace) -> list[dict[str, Any]]:
    """The samples of all enrolments that were not refused."""
    return database.query(
        in_space(
            "SELECT recording, 'enrolment ' || enrolment_id AS name, person_id, embedding, "
            "(last_sample - first_sample) / 16000.0::double precision AS seconds "
            "FROM enrolment_samples JOIN enrolments USING (enrolment_id) "
            "JOIN enrolment_judgements USING (enrolment_id, model, model_revision, preparation) WHERE verdict <> 'refused' "
            "AND {in_space} AND vector_norm(embedding) > 0 ORDER BY recording, enrolment_id, sample_index"
        ),
        space.columns,
    )


def _speakers(rows: Iterable[dict[str, Any]], identities: Mapping[Key, int], enrolled: bool) -> list[CalibrationSpeaker]:
    """One speaker per recording and name."""
    groups: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["recording"], row["name"]), []).append(row)
    return [
        CalibrationSpeaker(
            recording=key[0],
            name=key[1],
            person=group[0]["person_id"] if enrolled else identities.get(key),
            vectors=np.stack([row["embedding"].to_numpy() for row in group]),
            seconds=np.array([row["seconds"] for row in group], dtype=np.float64),
            enrolled=enrolled,
        )
        for key, group in groups.items()
    ]


def accept_calibration(database: Database, space: VoiceSpace, calibration: Calibration) -> Identified:
    """Store the threshold as the one to use in this space, and identify all speakers again."""
    accept_threshold(database, space, calibration.threshold, library_name(calibration))
    return identify(database)


def library_name(calibration: Calibration) -> str:
    """Where an accepted threshold comes from, in one line."""
    eer = "EER unknown" if calibration.eer is None else f"EER {calibration.eer:.4f}"
    return (
        f"this library on {datetime.now(UTC):%Y-%m-%d}: {calibration.two_people} pairs of two people, "
        f"{calibration.one_person} of one, false accepts {calibration.rate:g} requested and {calibration.false_accepts:.4f} "
        f"found, {eer}"
    )
