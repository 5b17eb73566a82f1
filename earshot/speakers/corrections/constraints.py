"""Constraints: from all corrections to what the machine is bound by, and what they teach.

`derive_constraints()` concludes from the claims (earshot/speakers/corrections/claims.py): whoever is one voice with a named
speaker has that name too, and whoever is said to be another than a named speaker never has it. Who is ambiguous, or in a
conflict, is named by nothing. What does not bind a whole speaker still holds for its segments (`segment_overrides`), and every
turn whose speaker is known by a correction is a sample of that person's voice (`samples_from_corrections`).

`read_corrections()` reads what they start from; read in a snapshot of the database, all of it fits together. The asset `people`
(earshot/speakers/people/identify.py) applies the constraints; nothing here changes who anybody is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import pandas as pd

from earshot.common.text import join_numbers
from earshot.common.timeline import HALF
from earshot.speakers.corrections.claims import NOBODY, CorrectedVideo, CorrectionSet, SpeakerClaims
from earshot.speakers.corrections.conflicts import SameVoiceGroups, conflicts_among
from earshot.speakers.tables.corrections import Correction, CorrectionKind, list_corrections
from earshot.speakers.tables.identities import SegmentOverride
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.transcripts.word_speakers import attribute_words
from earshot.transcripts.word_turns import Spoken, whole_words


def read_corrections(database: Database, corrections: Sequence[Correction] | None = None) -> CorrectionSet:
    """These corrections, or all of the library, with today's turns of the videos that they speak of."""
    chosen = list_corrections(database) if corrections is None else corrections
    return CorrectionSet(chosen, read_turns(database, {span.video_id for each in chosen for span in each.spans + each.others}))


def read_turns(database: Database, video_ids: Iterable[str], table: str = "turns") -> pd.DataFrame:
    """The turns, or the rows of `exclusive_turns`, of these videos: video_id, turn_index, local_speaker, start_s, end_s."""
    columns = ["video_id", "turn_index", "local_speaker", "start_s", "end_s"]
    statement = f"SELECT {', '.join(columns)} FROM {table} WHERE video_id = ANY(%s) ORDER BY video_id, turn_index"  # noqa: S608
    return pd.DataFrame(database.query(statement, [sorted(video_ids)]), columns=columns)


# --- whole speakers ------------------------------------------------------------------------------------------------------


def derive_constraints(said: CorrectionSet) -> IdentityConstraints:
    """What the corrections bind the speakers of these turns to: of each video, all its turns."""
    claims = said.claims
    groups = SameVoiceGroups(claims.same)
    refused = _refused(claims)
    named = {
        member: each.person_id for key, each in claims.named.items() for member in groups.group_of(key) if member not in refused
    }
    return IdentityConstraints(
        named=named,
        never=_never(claims, groups, named, refused),
        same=frozenset(pair for keys in claims.same.values() for pair in pairwise(sorted(keys - refused.keys()))),
        different=frozenset(
            (min(one, other), max(one, other))
            for sides in claims.different.values()
            for one in sides[0] - refused.keys()
            for other in sides[1] - refused.keys()
        ),
        contradictions=refused,
    )


def find_conflicts(said: CorrectionSet, new: int) -> list[int]:
    """The numbers of those corrections that the new one, given by its number, cannot be true with."""
    found = conflicts_among(said.claims)
    return sorted({number for each in found if new in each.corrections for number in each.corrections} - {new})


def _refused(claims: SpeakerClaims) -> dict[Key, str]:
    """Who cannot be named, and why: in a conflict, else ambiguous."""
    refused = {
        key: f"corrections {join_numbers(numbers)} name two people in it, who are one speaker to the diarization"
        for key, numbers in claims.ambiguous.items()
    }
    for each in conflicts_among(claims):
        refused = dict.fromkeys(each.speakers, each.reason) | refused  # the first that is found is told
    return refused


def _never(
    claims: SpeakerClaims, groups: SameVoiceGroups, named: dict[Key, int], refused: dict[Key, str]
) -> dict[Key, frozenset[int]]:
    found: defaultdict[Key, set[int]] = defaultdict(set)
    for key, people in claims.never.items():
        for member in groups.group_of(key):
            found[member].update(people)
    for sides in claims.different.values():
        for one, other in (sides, sides[::-1]):
            people = {named[key] for key in one if key in named}
            for key in other if people else ():
                for member in groups.group_of(key):
                    found[member].update(people)
    return {key: frozenset(people) for key, people in found.items() if key not in refused}


# --- parts of speakers ---------------------------------------------------------------------------------------------------


def segment_overrides(said: CorrectionSet) -> dict[str, list[Spoken]]:
    """By video, who speaks in segments whose speaker is not named so as a whole: (start_s, end_s, person_id), disjoint, in
    order of time. Videos without any are left out."""
    found = {video.video_id: _overrides(video, said.claims) for video in said.videos()}
    return {video_id: overrides for video_id, overrides in found.items() if overrides}


def _overrides(video: CorrectedVideo, claims: SpeakerClaims) -> list[Spoken]:
    timeline, left = video.timeline, video.people.copy()
    for speaker, speaking in zip(timeline.speakers, timeline.speaking, strict=True):
        named = claims.named.get((video.video_id, speaker))
        if named is not None:
            left[speaking & (video.people == named.person_id)] = NOBODY
    spoken = timeline.speaking.any(axis=0)
    people = set(left[spoken].tolist()) - {NOBODY}
    return sorted((*time, person) for person in people for time in timeline.merged(spoken & (left == person)))


def read_segment_overrides(database: Database, said: CorrectionSet) -> list[SegmentOverride]:
    """`segment_overrides()` in one list, none of which begins or ends within a word: a turn is somebody's with all its words
    (earshot/transcripts/word_turns.py)."""
    overrides = segment_overrides(said)
    if not overrides:
        return []
    turns, exclusive = dict(iter(said.turns.groupby("video_id"))), read_turns(database, overrides, "exclusive_turns")
    found: dict[str, list[Spoken]] = {}
    for video_id, words in _words(database, overrides):
        speakers = attribute_words(words, exclusive[exclusive.video_id == video_id], turns[video_id])
        found[video_id] = whole_words(overrides[video_id], words, speakers, turns[video_id])
    return [(video_id, *override) for video_id in overrides for override in found[video_id]]


def _words(database: Database, video_ids: Collection[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The words of each of these videos, one video in memory at a time; an empty frame where there are none."""
    statement = (
        "SELECT video_id, start_s, end_s, text FROM words WHERE video_id = ANY(%(videos)s) ORDER BY video_id, word_index"
    )
    silent, columns = set(video_ids), ["start_s", "end_s", "text"]
    for video_id, rows in groupby(database.stream(statement, {"videos": sorted(video_ids)}), key=itemgetter("video_id")):
        silent.discard(video_id)
        yield video_id, pd.DataFrame(rows, columns=columns)
    yield from ((video_id, pd.DataFrame(columns=columns)) for video_id in silent)


def samples_from_corrections(database: Database, space: VoiceSpace, said: CorrectionSet) -> pd.DataFrame:
    """Samples of people's voices from corrections: person_id, embedding (np.float32), seconds.

    Each is the vector, of this space, of a clear turn of which an `is` covers at least half.
    """
    spoken = attributed_turns(said)
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


def attributed_turns(said: CorrectionSet) -> dict[tuple[str, int], tuple[int, float]]:
    """Who speaks in which turn: (video_id, turn_index) -> (person_id, seconds of the turn). Half and half is nobody's."""
    found: defaultdict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for video in said.of_kind(CorrectionKind.IS).videos():
        times = list(zip(video.turns.start_s.tolist(), video.turns.end_s.tolist(), strict=True))
        for person in set(video.people.tolist()) - {NOBODY}:
            covered = video.timeline.covered_s(video.people == person, times)
            for turn, (start, end), seconds in zip(video.turns.turn_index.tolist(), times, covered, strict=True):
                if seconds >= HALF * (end - start) > 0.0:
                    found[video.video_id, turn].append((person, end - start))
    return {turn: people[0] for turn, people in found.items() if len(people) == 1}
