"""Constraints: what follows from all corrections together.

- `derive_constraints()` combines the claims (earshot/speakers/corrections/claims.py). A speaker that is one voice with a named
  speaker gets the same name; one that is different from a named speaker never gets that name. Speakers that are ambiguous or in
  a conflict get no name.
- `segment_overrides()` returns the corrected times that do not follow from the name of a whole speaker.
- `samples_from_corrections()` returns the vectors of turns that corrections attribute to a person, as samples of the voice.

Pass a snapshot of the database to `read_corrections()` so that corrections and turns are consistent. The asset `people`
(earshot/speakers/people/identify.py) applies the constraints; nothing is written here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import pandas as pd

from earshot.common.text import join_numbers
from earshot.common.timeline import HALF
from earshot.speakers.corrections.claims import NO_PERSON, CorrectedVideo, CorrectionSet, SpeakerClaims
from earshot.speakers.corrections.conflicts import SameVoiceGroups, conflicts_among
from earshot.speakers.tables.corrections import Correction, CorrectionKind, list_corrections
from earshot.speakers.tables.identities import SegmentOverride
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.transcripts.attribution.word_speakers import attribute_words
from earshot.transcripts.attribution.word_turns import Spoken, whole_words


def read_corrections(database: Database, corrections: Sequence[Correction] | None = None) -> CorrectionSet:
    """These corrections, or all of the library, with the current turns of the videos that they refer to."""
    chosen = list_corrections(database) if corrections is None else corrections
    return CorrectionSet(
        chosen, read_turns(database, {span.video_id for correction in chosen for span in correction.spans + correction.others})
    )


def read_turns(database: Database, video_ids: Iterable[str], table: str = "turns") -> pd.DataFrame:
    """The turns (or with `table`, `exclusive_turns`) of these videos: video_id, turn_index, local_speaker, start_s, end_s."""
    columns = ["video_id", "turn_index", "local_speaker", "start_s", "end_s"]
    statement = f"SELECT {', '.join(columns)} FROM {table} WHERE video_id = ANY(%s) ORDER BY video_id, turn_index"  # noqa: S608
    return pd.DataFrame(database.query(statement, [sorted(video_ids)]), columns=columns)


# --- whole speakers ------------------------------------------------------------------------------------------------------


def derive_constraints(corrections: CorrectionSet) -> IdentityConstraints:
    """The constraints on the speakers of these turns, which must be all turns of each video."""
    claims = corrections.claims
    groups = SameVoiceGroups(claims.same)
    refused = _refused(claims)
    named = {
        member: name.person_id for key, name in claims.named.items() for member in groups.group_of(key) if member not in refused
    }
    return IdentityConstraints(
        named=named,
        never=_never(claims, groups, named, refused),
        same=frozenset(pair for keys in claims.same.values() for pair in pairwise(sorted(keys - refused.keys()))),
        different=frozenset(
            (min(left, right), max(left, right))
            for sides in claims.different.values()
            for left in sides[0] - refused.keys()
            for right in sides[1] - refused.keys()
        ),
        contradictions=refused,
    )


def find_conflicts(corrections: CorrectionSet, new_id: int) -> list[int]:
    """The ids of the corrections in any conflict with the new one."""
    conflicts = [conflict for conflict in conflicts_among(corrections.claims) if new_id in conflict.corrections]
    return sorted({correction_id for conflict in conflicts for correction_id in conflict.corrections} - {new_id})


def _refused(claims: SpeakerClaims) -> dict[Key, str]:
    """The speakers who cannot be named, each with the reason: ambiguous, else the first conflict found."""
    refused = {
        key: f"corrections {join_numbers(correction_ids)} name two people in what the diarization took for one speaker"
        for key, correction_ids in claims.ambiguous.items()
    }
    for conflict in conflicts_among(claims):
        refused = dict.fromkeys(conflict.speakers, conflict.reason) | refused
    return refused


def _never(
    claims: SpeakerClaims, groups: SameVoiceGroups, named: dict[Key, int], refused: dict[Key, str]
) -> dict[Key, frozenset[int]]:
    """The people that each speaker is not: excluded by `never`, or the name of a `different` speaker."""
    excluded: defaultdict[Key, set[int]] = defaultdict(set)
    for key, people in claims.never.items():
        for member in groups.group_of(key):
            excluded[member].update(people)
    for sides in claims.different.values():
        for left, right in (sides, sides[::-1]):
            people = {named[key] for key in left if key in named}
            for key in right if people else ():
                for member in groups.group_of(key):
                    excluded[member].update(people)
    return {key: frozenset(people) for key, people in excluded.items() if key not in refused}


# --- parts of speakers ---------------------------------------------------------------------------------------------------


def segment_overrides(corrections: CorrectionSet) -> dict[str, list[Spoken]]:
    """By video, the corrected times (start_s, end_s, person_id) in which the local speaker as a whole has another name or none.

    Disjoint and in order of time. Videos without any are left out.
    """
    by_video = {video.video_id: _overrides(video, corrections.claims) for video in corrections.videos()}
    return {video_id: overrides for video_id, overrides in by_video.items() if overrides}


def _overrides(video: CorrectedVideo, claims: SpeakerClaims) -> list[Spoken]:
    timeline, people_left = video.timeline, video.people.copy()
    for speaker, speaking in zip(timeline.speakers, timeline.speaking, strict=True):
        named = claims.named.get((video.video_id, speaker))
        if named is not None:
            people_left[speaking & (video.people == named.person_id)] = NO_PERSON
    spoken = timeline.speaking.any(axis=0)
    people = set(people_left[spoken].tolist()) - {NO_PERSON}
    return sorted((*time, person) for person in people for time in timeline.merged(spoken & (people_left == person)))


def read_segment_overrides(database: Database, corrections: CorrectionSet) -> list[SegmentOverride]:
    """`segment_overrides()` of all videos, moved to word borders: an override of a turn covers all words of the turn
    (earshot/transcripts/attribution/word_turns.py)."""
    overrides = segment_overrides(corrections)
    if not overrides:
        return []
    turns, exclusive = dict(iter(corrections.turns.groupby("video_id"))), read_turns(database, overrides, "exclusive_turns")
    by_video: dict[str, list[Spoken]] = {}
    for video_id, words in _words(database, overrides):
        speakers = attribute_words(words, exclusive[exclusive.video_id == video_id], turns[video_id])
        by_video[video_id] = whole_words(overrides[video_id], words, speakers, turns[video_id])
    return [(video_id, *override) for video_id in overrides for override in by_video[video_id]]


def _words(database: Database, video_ids: Collection[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The words of each of these videos, one video in memory at a time; an empty frame for a video without words."""
    statement = (
        "SELECT video_id, start_s, end_s, text FROM words WHERE video_id = ANY(%(videos)s) ORDER BY video_id, word_index"
    )
    without_words, columns = set(video_ids), ["start_s", "end_s", "text"]
    for video_id, rows in groupby(database.stream(statement, {"videos": sorted(video_ids)}), key=itemgetter("video_id")):
        without_words.discard(video_id)
        yield video_id, pd.DataFrame(rows, columns=columns)
    yield from ((video_id, pd.DataFrame(columns=columns)) for video_id in without_words)


def samples_from_corrections(database: Database, space: VoiceSpace, corrections: CorrectionSet) -> pd.DataFrame:
    """Samples of people's voices from corrections: person_id, embedding (np.float32), seconds.

    Each is the vector, in this space, of a clear turn that `is` corrections attribute to one person.
    """
    spoken = attributed_turns(corrections)
    rows = database.query(
        in_space(
            "SELECT video_id, turn_index, embedding FROM voice_embeddings WHERE video_id = ANY(%(videos)s) "
            "AND condition = 'clear' AND {in_space} ORDER BY video_id, turn_index"
        ),
        {**space.columns, "videos": sorted({video_id for video_id, _ in spoken})},
    )
    samples = [
        (spoken[turn][0], row["embedding"].to_numpy().astype(np.float32), spoken[turn][1])
        for row in rows
        if (turn := (row["video_id"], row["turn_index"])) in spoken
    ]
    return pd.DataFrame(samples, columns=["person_id", "embedding", "seconds"])


def attributed_turns(corrections: CorrectionSet) -> dict[tuple[str, int], tuple[int, float]]:
    """(video_id, turn_index) -> (person_id, seconds of the turn), for each turn of which `is` gives at least half to a person.

    A turn that two people share half and half is left out.
    """
    people_of: defaultdict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for video in corrections.of_kind(CorrectionKind.IS).videos():
        times = list(zip(video.turns.start_s.tolist(), video.turns.end_s.tolist(), strict=True))
        for person in set(video.people.tolist()) - {NO_PERSON}:
            covered = video.timeline.covered_s(video.people == person, times)
            for turn, (start, end), seconds in zip(video.turns.turn_index.tolist(), times, covered, strict=True):
                if seconds >= HALF * (end - start) > 0.0:
                    people_of[video.video_id, turn].append((person, end - start))
    return {turn: people[0] for turn, people in people_of.items() if len(people) == 1}
