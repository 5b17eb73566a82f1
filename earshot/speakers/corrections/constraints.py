"""Correcting: from all corrections to what the machine is bound by, and what they teach.

`derive_constraints()` concludes from the statements (earshot/speakers/corrections/claims.py): whoever is one voice with a named
speaker has that name too, and whoever is said to be another than a named speaker never has it. Who is mixed, or in a
contradiction, is named by nothing. What does not rule a whole speaker still holds for its moments (`read_segment_overrides`),
and every turn whose speaker was told is a sample of that person's voice (`samples_from_corrections`).

The asset `people` (earshot/speakers/people/identify.py) applies the rulings; nothing here changes who anybody is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from earshot.common.text import join_numbers
from earshot.common.timeline import HALF, Interval, Timeline, build_timeline
from earshot.speakers.corrections.claims import (
    NOBODY,
    IntervalLabels,
    SpeakerClaims,
    claims_from,
    label_intervals,
    person_by_correction,
    spans_by_video,
)
from earshot.speakers.corrections.conflicts import SameVoiceGroups, conflicts_among
from earshot.speakers.tables.corrections import Correction, list_corrections
from earshot.speakers.tables.voice_space import VoiceSpace
from earshot.speakers.voices.identity_constraints import IdentityConstraints, KeyPair
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.transcripts.word_speakers import attribute_words
from earshot.transcripts.word_turns import Spoken, whole_words


def derive_constraints(corrections: Sequence[Correction], turns: pd.DataFrame) -> IdentityConstraints:
    """The rulings over the speakers in `turns` (video_id, local_speaker, start_s, end_s): of each video, all its turns."""
    statements = claims_from(corrections, turns)
    groups = SameVoiceGroups(statements.same)
    refused = _refused(statements)
    named = {
        member: said.person_id
        for key, said in statements.named.items()
        for member in groups.group_of(key)
        if member not in refused
    }
    return IdentityConstraints(
        named=named,
        never=_never(statements, groups, named, refused),
        same=frozenset(pair for keys in statements.same.values() for pair in _chain(keys - refused.keys())),
        different=frozenset(
            (min(one, other), max(one, other))
            for sides in statements.different.values()
            for one in sides[0] - refused.keys()
            for other in sides[1] - refused.keys()
        ),
        contradictions=refused,
    )


def find_conflicts(corrections: Sequence[Correction], new: Correction, turns: pd.DataFrame) -> list[int]:
    """The numbers of those corrections that the new one, the last of all, cannot be true with."""
    found = conflicts_among(claims_from([*corrections, new], turns))
    numbers = {number for each in found if new.correction_id in each.corrections for number in each.corrections}
    return sorted(numbers - {new.correction_id})


def read_constraints(database: Database) -> IdentityConstraints:
    """The rulings over the library as it is diarized today."""
    corrections = list_corrections(database)
    return derive_constraints(corrections, read_turns(database, spans_by_video(corrections)))


def read_turns(database: Database, video_ids: Iterable[str]) -> pd.DataFrame:
    """The turns of these videos: video_id, turn_index, local_speaker, start_s, end_s."""
    columns = ["video_id", "turn_index", "local_speaker", "start_s", "end_s"]
    rows = database.query(
        "SELECT video_id, turn_index, local_speaker, start_s, end_s FROM turns WHERE video_id = ANY(%s) "
        "ORDER BY video_id, turn_index",
        [sorted(video_ids)],
    )
    return pd.DataFrame(rows, columns=columns)


def read_segment_overrides(database: Database) -> list[tuple[str, float, float, int]]:
    """Who speaks at moments whose speaker is not named so as a whole: (video_id, start_s, end_s, person_id).

    In order of time, and disjoint. No word is torn: a turn is somebody's with all its words
    (earshot/transcripts/word_turns.py).
    """
    by_video: defaultdict[str, list[Correction]] = defaultdict(list)
    for correction in list_corrections(database):
        for video_id in {span.video_id for span in (*correction.spans, *correction.others)}:
            by_video[video_id].append(correction)
    turns = read_turns(database, by_video)
    return [
        (str(video_id), *moment)
        for video_id, of_video in turns.groupby("video_id", sort=True)
        for moment in _between_words(database, str(video_id), segment_overrides(by_video[str(video_id)], of_video), of_video)
    ]


def _between_words(database: Database, video_id: str, moments: list[Spoken], turns: pd.DataFrame) -> list[Spoken]:
    """One video's moments, none of which begins or ends within a word."""
    if not moments:
        return []
    words = database.frame("words", video_id, "word_index")
    speakers = attribute_words(words, database.frame("exclusive_turns", video_id, "turn_index"), turns)
    return whole_words(moments, words, speakers, turns)


def segment_overrides(corrections: Sequence[Correction], turns: pd.DataFrame) -> list[Spoken]:
    """Of one video's corrections, (start_s, end_s, person_id) of all that rules no whole speaker."""
    if turns.empty:
        return []
    video_id = str(turns.video_id.iloc[0])
    spans, named_by = spans_by_video(corrections), person_by_correction(corrections, "is")
    stretches, said = _said(spans.get(video_id, {}), named_by, turns)
    left = said.people.copy()
    named = claims_from(corrections, turns).named
    for speaker, speaking in zip(stretches.speakers, stretches.speaking, strict=True):
        if (video_id, speaker) in named:
            left[speaking & (said.people == named[video_id, speaker].person_id)] = NOBODY
    spoken = stretches.speaking.any(axis=0)
    people = np.unique(left[spoken]).tolist()
    return sorted(
        (start, end, person)
        for person in people
        if person != NOBODY
        for start, end in stretches.merged(spoken & (left == person))
    )


def samples_from_corrections(database: Database, space: VoiceSpace) -> pd.DataFrame:
    """Samples of people's voices from corrections: person_id, embedding (np.float32), seconds.

    Each is the vector, of this space, of a clear turn of which an `is` covers at least half.
    """
    corrections = [correction for correction in list_corrections(database) if correction.kind == "is"]
    spoken = attributed_turns(corrections, read_turns(database, spans_by_video(corrections)))
    rows = database.query(
        "SELECT video_id, turn_index, embedding FROM voice_embeddings WHERE video_id = ANY(%(videos)s) AND condition = 'clear' "
        "AND model = %(model)s AND model_revision = %(model_revision)s AND preparation = %(preparation)s",
        {**space.columns, "videos": sorted({video_id for video_id, _ in spoken})},
    )
    found = [
        (*spoken[row["video_id"], row["turn_index"]], row["embedding"].to_numpy().astype(np.float32))
        for row in rows
        if (row["video_id"], row["turn_index"]) in spoken
    ]
    samples = [(person, embedding, seconds) for person, seconds, embedding in found]
    return pd.DataFrame(samples, columns=["person_id", "embedding", "seconds"])


def attributed_turns(corrections: Sequence[Correction], turns: pd.DataFrame) -> dict[tuple[str, int], tuple[int, float]]:
    """Who speaks in which turn: (video_id, turn_index) -> (person_id, seconds of the turn). Half and half is nobody's."""
    spans, named = spans_by_video(corrections), person_by_correction(corrections, "is")
    found: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for video_id, of_video in turns.groupby("video_id", sort=True):
        stretches, said = _said(spans.get(str(video_id), {}), named, of_video)
        times = list(zip(of_video.start_s.tolist(), of_video.end_s.tolist(), strict=True))
        for person in set(np.unique(said.people).tolist()) - {NOBODY}:
            covered = stretches.covered_s(said.people == person, times)
            for turn, (start, end), seconds in zip(of_video.turn_index.tolist(), times, covered, strict=True):
                if seconds >= HALF * (end - start) > 0.0:
                    found.setdefault((str(video_id), turn), []).append((person, end - start))
    return {turn: people[0] for turn, people in found.items() if len(people) == 1}


def _said(
    spans: Mapping[tuple[int, int], list[Interval]], named: Mapping[int, int], turns: pd.DataFrame
) -> tuple[Timeline, IntervalLabels]:
    stretches = build_timeline(turns, (span for each in spans.values() for span in each))
    return stretches, label_intervals(stretches, named, spans)


def _refused(statements: SpeakerClaims) -> dict[Key, str]:
    """Who cannot be named, and why: in a contradiction, else mixed."""
    refused = {
        key: f"corrections {join_numbers(numbers)} name two people in it, who are one speaker to the diarization"
        for key, numbers in statements.ambiguous.items()
    }
    for each in conflicts_among(statements):
        refused = dict.fromkeys(each.speakers, each.reason) | refused  # the first that is found is told
    return refused


def _never(
    statements: SpeakerClaims, groups: SameVoiceGroups, named: dict[Key, int], refused: dict[Key, str]
) -> dict[Key, frozenset[int]]:
    found: defaultdict[Key, set[int]] = defaultdict(set)
    for key, people in statements.never.items():
        for member in groups.group_of(key):
            found[member].update(people)
    for sides in statements.different.values():
        for one, other in (sides, sides[::-1]):
            people = {named[key] for key in one if key in named}
            for key in other if people else ():
                for member in groups.group_of(key):
                    found[member].update(people)
    return {key: frozenset(people) for key, people in found.items() if key not in refused}


def _chain(keys: Iterable[Key]) -> Iterable[KeyPair]:
    ordered = sorted(keys)
    return pairwise(ordered)
