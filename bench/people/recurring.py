"""Voices across recordings: do people who come back get one voice, and do two people get the same?

Local speakers of composed meetings are clustered as asset `people` does, without enrolments, at several thresholds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from earshot.speakers.voices.assignment import MIN_CLEAR_S
from earshot.speakers.voices.clustering import Nodes, cluster
from earshot.speakers.voices.cosine import quantize
from earshot.speakers.voices.local_speakers import conditions, local_speakers, turn_spans

if TYPE_CHECKING:
    from earshot.models.voice.voice_encoder import VoiceEncoder

THRESHOLDS = (0.50, 0.55, 0.60, 0.63, 0.65, 0.68, 0.70, 0.75, 0.80)


@dataclass(frozen=True)
class Speaker:
    """A local speaker of a recording, and the person who speaks most of its time."""

    recording: str
    name: str
    person: str
    clear_s: float
    two_voices: bool
    centroid: np.ndarray


def speakers_of(
    recording: str, turns: pd.DataFrame, people: Mapping[str, str], samples: np.ndarray, encoder: "VoiceEncoder"
) -> list[Speaker]:
    """The local speakers with enough clear speech to be a voice, as asset `voice_embeddings` makes them."""
    vectors = encoder.encode(samples, turn_spans(turns, len(samples)))
    embedded = turns.assign(
        condition=conditions(turns, []), embedding=pd.Series(list(vectors), index=turns.index, dtype=object)
    )
    found = []
    for row in local_speakers(embedded).to_dict("records"):
        name, person = row["local_speaker"], people[row["local_speaker"]]
        if row["clear_s"] >= MIN_CLEAR_S and person:
            found.append(Speaker(recording, name, person, row["clear_s"], row["two_voices"], row["centroid"]))
    return found


def curve(speakers: Sequence[Speaker]) -> list[dict[str, Any]]:
    """For each threshold, with and without the check for two voices: pairs of one person in two recordings that are joined, and
    pairs of two people that are."""
    return [
        {"threshold": threshold, "two_voices_left_out": checked, **joined(speakers, threshold, checked)}
        for threshold in THRESHOLDS
        for checked in (False, True)
    ]


def joined(speakers: Sequence[Speaker], threshold: float, checked: bool) -> dict[str, int]:
    """Counts of pairs of speakers. Speakers who are left out count as not joined."""
    kept = [speaker for speaker in sorted(speakers, key=_key) if not (checked and speaker.two_voices)]
    nodes = Nodes([_key(speaker) for speaker in kept], quantize(np.stack([speaker.centroid for speaker in kept])))
    voice = {_key(speaker): number for speaker, number in zip(kept, cluster(nodes, threshold).cluster.tolist(), strict=True)}
    recurring = right = two_people = wrong = 0
    for first, second in combinations(speakers, 2):
        together = voice.get(_key(first), -1) == voice.get(_key(second), -2)
        if first.person != second.person:
            two_people, wrong = two_people + 1, wrong + together
        elif first.recording != second.recording:
            recurring, right = recurring + 1, right + together
    return {"recurring_pairs": recurring, "joined": right, "pairs_of_two_people": two_people, "wrongly_joined": wrong}


def _key(speaker: Speaker) -> tuple[str, str]:
    return speaker.recording, speaker.name
