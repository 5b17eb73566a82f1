"""Calibrating: reads from the library the speakers that a calibration compares, and accepts the threshold it found.

Speakers are the local speakers of videos, with the clear turns that have a vector in today's voice space, and the enrolments
in use, with their samples. Who they are said to be comes from corrections (earshot/speakers/corrections/constraints.py) and
from the enrolments themselves, never from what the asset `people` decided. Of a large library, MAX_VIDEOS are read, chosen by
the hash of their ids, and all that corrections speak of.
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

MAX_VIDEOS = 500  # of ten speakers each, 22,500 pairs of two people: enough for a rate of 0.002 that is not rough


@dataclass(frozen=True)
class CalibrationData:
    """What was read: speakers, how many videos with voices there are, and how many are of another voice space."""

    speakers: Sequence[CalibrationSpeaker]
    videos_read: int
    videos: int
    other_spaces: int


def read_calibration_data(database: Database, space: VoiceSpace) -> CalibrationData:
    """Every speaker of whom something can be told in this voice space."""
    rulings = derive_constraints(read_corrections(database))
    said = known_identities(rulings)
    chosen, videos = _videos(database, space, {video_id for video_id, _ in said})
    left_out = rulings.contradictions.keys()
    rows = [row for row in _turns(database, space, chosen) if (row["recording"], row["name"]) not in left_out]
    speakers = [*_speakers(rows, said, enrolled=False), *_speakers(_samples(database, space), {}, enrolled=True)]
    return CalibrationData(speakers, len(chosen), videos, count_other_spaces(database, space))


def known_identities(rulings: IdentityConstraints) -> dict[Key, int]:
    """Who is named, by person; who is only said to be the same as others, by a number below 0 that they share."""
    said, groups = dict(rulings.named), SameVoiceGroups(dict(enumerate(map(frozenset, rulings.same))))
    together = dict.fromkeys(groups.group_of(key) for pair in sorted(rulings.same) for key in pair)
    for number, group in enumerate(together, start=1):
        if not any(key in said for key in group):
            said |= dict.fromkeys(group, -number)
    return said


def _videos(database: Database, space: VoiceSpace, wanted: set[str]) -> tuple[list[str], int]:
    rows = database.query(
        in_space("SELECT DISTINCT video_id, md5(video_id) AS place FROM local_speakers WHERE {in_space} ORDER BY place"),
        space.columns,
    )
    ids = [row["video_id"] for row in rows]
    return [video_id for place, video_id in enumerate(ids) if place < MAX_VIDEOS or video_id in wanted], len(ids)


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
    """Of enrolments that are not refused."""
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


def _speakers(rows: Iterable[dict[str, Any]], said: Mapping[Key, int], enrolled: bool) -> list[CalibrationSpeaker]:
    """One for each recording and name; rows come sorted by them."""
    groups: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["recording"], row["name"]), []).append(row)
    return [
        CalibrationSpeaker(
            recording=key[0],
            name=key[1],
            person=group[0]["person_id"] if enrolled else said.get(key),
            vectors=np.stack([row["embedding"].to_numpy() for row in group]),
            seconds=np.array([row["seconds"] for row in group], dtype=np.float64),
            enrolled=enrolled,
        )
        for key, group in groups.items()
    ]


def accept_calibration(database: Database, space: VoiceSpace, found: Calibration) -> Identified:
    """From now on this threshold counts in the space; everybody is decided anew by it."""
    accept_threshold(database, space, found.threshold, library_name(found))
    return identify(database)


def library_name(found: Calibration) -> str:
    """Where an accepted threshold comes from, in one line."""
    eer = "EER not known" if found.eer is None else f"EER {found.eer:.4f}"
    return (
        f"this library on {datetime.now(UTC):%Y-%m-%d}: {found.two_people} pairs of two people, {found.one_person} of one, "
        f"false accepts {found.rate:g} wished and {found.false_accepts:.4f} found, {eer}"
    )
