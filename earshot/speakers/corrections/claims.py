"""Claims: what the corrections state about the local speakers of the current diarization. Pure functions.

Corrections are stored as times (earshot/speakers/tables/corrections.py), so they are matched to speakers again after each
diarization: a correction applies to a local speaker if its spans cover at least half of that speaker's solo time
(earshot/common/timeline.py).

**The newest correction wins.** A time belongs to the person named by the newest `is` that covers it. Undoing that correction
gives the time back to the older ones. This allows single turns to be corrected within a speaker who was named as a whole.
A speaker takes the name that covers at least half of its solo time. If a second name covers more than half as much, the
diarization probably merged two people: the speaker is *ambiguous* and gets neither name.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from earshot.common.timeline import HALF, Interval, Timeline, build_timeline
from earshot.speakers.tables.corrections import CorrectedSpan, Correction, CorrectionKind
from earshot.speakers.voices.speakers import Key

# A speaker's first person must have at least this many times the seconds of the second.
DOMINANCE_RATIO = 2.0
NO_PERSON = -1

Side = tuple[int, int]  # correction_id; 0 for its `spans`, 1 for its `others`


@dataclass(frozen=True)
class Named:
    """A person, and the corrections that name them."""

    person_id: int
    corrections: frozenset[int]


@dataclass(frozen=True)
class SpeakerClaims:
    """The claims about local speakers, without any conclusion from two of them together.

    `ambiguous`: per ambiguous speaker, the corrections that name two people. `never`: the corrections per speaker and person.
    `same`: per correction, all speakers that it makes one voice. `different`: per correction, the speakers of its two sides.
    """

    named: dict[Key, Named] = field(default_factory=dict)
    ambiguous: dict[Key, frozenset[int]] = field(default_factory=dict)
    never: dict[Key, dict[int, frozenset[int]]] = field(default_factory=dict)
    same: dict[int, frozenset[Key]] = field(default_factory=dict)
    different: dict[int, tuple[frozenset[Key], frozenset[Key]]] = field(default_factory=dict)


@dataclass(frozen=True)
class CorrectedVideo:
    """A video that corrections refer to, with its turns and the spans of each side.

    `timeline` is cut at the edges of both. For each of its stretches, `people` has the person of the newest `is` that covers it
    and `by` has that correction's id; NO_PERSON if there is none.
    """

    video_id: str
    turns: pd.DataFrame
    spans: Mapping[Side, list[Interval]]
    timeline: Timeline
    people: np.ndarray
    by: np.ndarray

    def corrections_in(self, chosen: np.ndarray) -> frozenset[int]:
        """The ids of the corrections in `by` for these stretches."""
        return frozenset(np.unique(self.by[chosen]).tolist())


@dataclass(frozen=True)
class CorrectionSet:
    """Corrections, and all turns (video_id, turn_index, local_speaker, start_s, end_s) of the videos in question."""

    corrections: Sequence[Correction]
    turns: pd.DataFrame

    @cached_property
    def claims(self) -> SpeakerClaims:
        """The claims about the speakers of these turns."""
        return _claims(self)

    def of_kind(self, kind: CorrectionKind) -> "CorrectionSet":
        """The corrections of one kind, with the same turns."""
        return replace(self, corrections=[correction for correction in self.corrections if correction.kind == kind])

    def people(self, kind: CorrectionKind) -> dict[int, int]:
        """correction_id -> person_id of the corrections of this kind, `is` or `never`."""
        chosen = (correction for correction in self.corrections if correction.kind == kind)
        return {correction.correction_id: correction.person_id for correction in chosen if correction.person_id is not None}

    def videos(self) -> Iterator[CorrectedVideo]:
        """The videos that these corrections refer to and that have turns, in order of their keys."""
        spans_by_video, named = _spans_by_video(self.corrections), self.people(CorrectionKind.IS)
        for video_id, turns in self.turns[self.turns.video_id.isin(list(spans_by_video))].groupby("video_id", sort=True):
            sides = spans_by_video[str(video_id)]
            timeline = build_timeline(turns, (span for spans in sides.values() for span in spans))
            people = np.full(len(timeline.lengths), NO_PERSON, dtype=np.int64)
            by = people.copy()
            for correction_id, side in sorted(sides):
                if correction_id in named:
                    covered = timeline.mask(sides[correction_id, side])
                    people[covered], by[covered] = named[correction_id], correction_id
            yield CorrectedVideo(str(video_id), turns, sides, timeline, people, by)


def corrections_touching(corrections: CorrectionSet, speakers: Container[Key]) -> set[int]:
    """The ids of the corrections that cover any of these speakers' solo time, however little."""
    touching = set[int]()
    for video in corrections.videos():
        chosen = [(video.video_id, speaker) in speakers for speaker in video.timeline.speakers]
        solo = video.timeline.solo[chosen].any(axis=0)
        touching |= {
            correction_id for (correction_id, _), spans in video.spans.items() if (solo & video.timeline.mask(spans)).any()
        }
    return touching


def spans_in(video_id: str, times: Iterable[Interval]) -> tuple[CorrectedSpan, ...]:
    """These times of one video as a correction stores them."""
    return tuple(CorrectedSpan(video_id, start, end) for start, end in times)


def _spans_by_video(corrections: Iterable[Correction]) -> dict[str, dict[Side, list[Interval]]]:
    by_video: defaultdict[str, defaultdict[Side, list[Interval]]] = defaultdict(lambda: defaultdict(list))
    for correction in corrections:
        for side, spans in enumerate((correction.spans, correction.others)):
            for span in spans:
                by_video[span.video_id][correction.correction_id, side].append((span.start_s, span.end_s))
    return {video_id: dict(sides) for video_id, sides in by_video.items()}


def _claims(corrections: CorrectionSet) -> SpeakerClaims:
    claims, excluded = SpeakerClaims(), corrections.people(CorrectionKind.NEVER)
    sides: defaultdict[Side, set[Key]] = defaultdict(set)
    for video in corrections.videos():
        _name(claims, video)
        _exclude(claims, video, excluded)
        for side, times in video.spans.items():
            speakers = video.timeline.speakers_mostly_in(video.timeline.mask(times))
            sides[side].update((video.video_id, speaker) for speaker in speakers)
    for correction in sorted(corrections.corrections, key=lambda correction: correction.correction_id):
        left, right = (frozenset(sides[correction.correction_id, side]) for side in (0, 1))
        if left and right:  # one is empty for `is` and `never`, and if its videos are gone
            if correction.kind == CorrectionKind.SAME:
                claims.same[correction.correction_id] = left | right
            else:
                claims.different[correction.correction_id] = left, right
    return claims


def _name(claims: SpeakerClaims, video: CorrectedVideo) -> None:
    """Name each speaker after the person with at least half of its solo time, or mark it as ambiguous."""
    timeline = video.timeline
    for speaker, solo in zip(timeline.speakers, timeline.solo, strict=True):
        people = set(video.people[solo].tolist()) - {NO_PERSON}
        by_person = {person: timeline.seconds(solo & (video.people == person)) for person in sorted(people)}
        first, second = [*sorted(people, key=lambda person: -by_person[person]), NO_PERSON, NO_PERSON][:2]
        if first == NO_PERSON or by_person[first] < HALF * timeline.seconds(solo):
            continue
        if by_person[first] >= DOMINANCE_RATIO * by_person.get(second, 0.0):
            corrections = video.corrections_in(solo & (video.people == first))
            claims.named[video.video_id, speaker] = Named(first, corrections)
        else:
            claims.ambiguous[video.video_id, speaker] = video.corrections_in(solo & np.isin(video.people, [first, second]))


def _exclude(claims: SpeakerClaims, video: CorrectedVideo, excluded: Mapping[int, int]) -> None:
    """Exclude people from speakers. The spans of all `never` corrections of one person count together."""
    by_person: defaultdict[int, list[int]] = defaultdict(list)
    for correction_id, _ in video.spans:
        if correction_id in excluded:
            by_person[excluded[correction_id]].append(correction_id)
    for person, correction_ids in by_person.items():
        covered = video.timeline.mask(span for correction_id in correction_ids for span in video.spans[correction_id, 0])
        for speaker in video.timeline.speakers_mostly_in(covered):
            claims.never.setdefault((video.video_id, speaker), {})[person] = frozenset(correction_ids)
