"""Claims: what corrections say of the local speakers of today's diarization. Pure functions.

Corrections speak of time (earshot/speakers/tables/corrections.py), so each diarization is asked anew whom they mean: a
correction speaks of a local speaker where its spans cover at least half of that speaker's own time
(earshot/common/timeline.py).

**The last word counts.** A moment is spoken by the person whom the newest `is` that covers it names: a later one takes its time
out of earlier ones, and taken back gives it back. So single turns can be put right inside a speaker who was named as a whole.
A speaker takes the name that covers at least half of its own time. If a second name covers more than half as much, the
diarization probably merged two people: the speaker is *ambiguous*, and named after neither.
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

# Who holds a speaker's time must hold this many times what the second does.
DOMINANCE_RATIO = 2.0
NOBODY = -1

Side = tuple[int, int]  # correction_id; 0 for its spans, 1 for the other voice's


@dataclass(frozen=True)
class Named:
    """A person, and the corrections that say so."""

    person_id: int
    corrections: frozenset[int]


@dataclass(frozen=True)
class SpeakerClaims:
    """What is said of local speakers. Nothing is concluded from two claims yet.

    `ambiguous`: who cannot be named, with the corrections that name two people in that speaker. `never`: per speaker and person
    the corrections. `same`: per correction all whom it says to be one voice. `different`: per correction its two sides.
    """

    named: dict[Key, Named] = field(default_factory=dict)
    ambiguous: dict[Key, frozenset[int]] = field(default_factory=dict)
    never: dict[Key, dict[int, frozenset[int]]] = field(default_factory=dict)
    same: dict[int, frozenset[Key]] = field(default_factory=dict)
    different: dict[int, tuple[frozenset[Key], frozenset[Key]]] = field(default_factory=dict)


@dataclass(frozen=True)
class CorrectedVideo:
    """A video that corrections speak of, with its turns and the time of each side.

    Of each stretch of `timeline`, which is cut by both: `people` is the person of the newest `is` that covers it, and `by` that
    correction's number; NOBODY where there is none.
    """

    video_id: str
    turns: pd.DataFrame
    spans: Mapping[Side, list[Interval]]
    timeline: Timeline
    people: np.ndarray
    by: np.ndarray

    def corrections_in(self, where: np.ndarray) -> frozenset[int]:
        """The numbers of those that name somebody in these stretches."""
        return frozenset(np.unique(self.by[where]).tolist())


@dataclass(frozen=True)
class CorrectionSet:
    """Corrections, and all turns (video_id, turn_index, local_speaker, start_s, end_s) of the videos that are asked about."""

    corrections: Sequence[Correction]
    turns: pd.DataFrame

    @cached_property
    def claims(self) -> SpeakerClaims:
        """What they say of the speakers of these turns."""
        return _claims(self)

    def of_kind(self, kind: CorrectionKind) -> "CorrectionSet":
        """Those of one kind."""
        return replace(self, corrections=[each for each in self.corrections if each.kind == kind])

    def people(self, kind: CorrectionKind) -> dict[int, int]:
        """correction_id -> person_id of the corrections of this kind, `is` or `never`."""
        return {
            each.correction_id: each.person_id for each in self.corrections if each.kind == kind and each.person_id is not None
        }

    def videos(self) -> Iterator[CorrectedVideo]:
        """The videos with turns that they speak of, in order."""
        spans, named = _spans_by_video(self.corrections), self.people(CorrectionKind.IS)
        for video_id, turns in self.turns[self.turns.video_id.isin(list(spans))].groupby("video_id", sort=True):
            here = spans[str(video_id)]
            timeline = build_timeline(turns, (span for each in here.values() for span in each))
            people = np.full(len(timeline.lengths), NOBODY, dtype=np.int64)
            by = people.copy()
            for number, side in sorted(here):
                if number in named:
                    covered = timeline.mask(here[number, side])
                    people[covered], by[covered] = named[number], number
            yield CorrectedVideo(str(video_id), turns, here, timeline, people, by)


def corrections_touching(said: CorrectionSet, speakers: Container[Key]) -> set[int]:
    """The numbers of the corrections that speak of any of these speakers' own time, however short."""
    found = set[int]()
    for video in said.videos():
        meant = [(video.video_id, speaker) in speakers for speaker in video.timeline.speakers]
        own = video.timeline.solo[meant].any(axis=0)
        found |= {number for (number, _), each in video.spans.items() if (own & video.timeline.mask(each)).any()}
    return found


def spans_in(video_id: str, times: Iterable[Interval]) -> tuple[CorrectedSpan, ...]:
    """These times of one video, as a correction keeps them."""
    return tuple(CorrectedSpan(video_id, start, end) for start, end in times)


def _spans_by_video(corrections: Iterable[Correction]) -> dict[str, dict[Side, list[Interval]]]:
    found: defaultdict[str, defaultdict[Side, list[Interval]]] = defaultdict(lambda: defaultdict(list))
    for correction in corrections:
        for side, spans in enumerate((correction.spans, correction.others)):
            for span in spans:
                found[span.video_id][correction.correction_id, side].append((span.start_s, span.end_s))
    return {video_id: dict(sides) for video_id, sides in found.items()}


def _claims(said: CorrectionSet) -> SpeakerClaims:
    claims, excluded = SpeakerClaims(), said.people(CorrectionKind.NEVER)
    sides: defaultdict[Side, set[Key]] = defaultdict(set)
    for video in said.videos():
        _name(claims, video)
        _exclude(claims, video, excluded)
        for side, times in video.spans.items():
            speakers = video.timeline.speakers_mostly_in(video.timeline.mask(times))
            sides[side].update((video.video_id, speaker) for speaker in speakers)
    for correction in sorted(said.corrections, key=lambda each: each.correction_id):
        one, other = (frozenset(sides[correction.correction_id, side]) for side in (0, 1))
        if one and other:  # a side of which nothing is left (its videos are gone) says nothing
            if correction.kind == CorrectionKind.SAME:
                claims.same[correction.correction_id] = one | other
            else:
                claims.different[correction.correction_id] = one, other
    return claims


def _name(claims: SpeakerClaims, video: CorrectedVideo) -> None:
    """Who holds a speaker's own time, or which two people do."""
    timeline = video.timeline
    for speaker, own in zip(timeline.speakers, timeline.solo, strict=True):
        people = set(video.people[own].tolist()) - {NOBODY}
        by_person = {person: timeline.seconds(own & (video.people == person)) for person in sorted(people)}
        first, second = [*sorted(people, key=lambda person: -by_person[person]), NOBODY, NOBODY][:2]
        if first == NOBODY or by_person[first] < HALF * timeline.seconds(own):
            continue
        if by_person[first] >= DOMINANCE_RATIO * by_person.get(second, 0.0):
            corrections = video.corrections_in(own & (video.people == first))
            claims.named[video.video_id, speaker] = Named(first, corrections)
        else:
            claims.ambiguous[video.video_id, speaker] = video.corrections_in(own & np.isin(video.people, [first, second]))


def _exclude(claims: SpeakerClaims, video: CorrectedVideo, excluded: Mapping[int, int]) -> None:
    """Who is said never to be somebody; several corrections about one person count together."""
    by_person: defaultdict[int, list[int]] = defaultdict(list)
    for number, _ in video.spans:
        if number in excluded:
            by_person[excluded[number]].append(number)
    for person, numbers in by_person.items():
        covered = video.timeline.mask(span for number in numbers for span in video.spans[number, 0])
        for speaker in video.timeline.speakers_mostly_in(covered):
            claims.never.setdefault((video.video_id, speaker), {})[person] = frozenset(numbers)
