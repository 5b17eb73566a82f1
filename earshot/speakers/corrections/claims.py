"""Statements: what corrections say of the local speakers of today's diarization. Pure functions.

Corrections speak of time (earshot/speakers/tables/corrections.py), so each diarization is asked anew whom they mean: a
correction speaks of a local speaker where its spans cover at least half of that speaker's own time
(earshot/common/timeline.py).

**The last word counts.** A moment is spoken by the person whom the newest `is` that covers it names: a later one takes its time
out of earlier ones, and taken back gives it back. So single turns can be put right inside a speaker who was named as a whole,
and a speaker is who holds at least half of his time; where another person holds more than half as much as that, he is *mixed*:
two people whom the diarization took for one, and named after neither.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from earshot.common.timeline import HALF, Interval, Timeline, build_timeline
from earshot.speakers.tables.corrections import CorrectedSpan, Correction
from earshot.speakers.voices.speakers import Key

# Who holds a speaker's time must hold this many times what the second does.
DOMINANCE_RATIO = 2.0
NOBODY = -1


@dataclass(frozen=True)
class Named:
    """A person, and the corrections that say so."""

    person_id: int
    corrections: frozenset[int]


@dataclass(frozen=True)
class SpeakerClaims:
    """What is said of local speakers. Nothing is concluded from two statements yet.

    `ambiguous`: who cannot be named, with the corrections that name two people in him. `never`: per speaker and person the
    corrections. `same`: per correction all whom it says to be one voice. `different`: per correction its two sides.
    """

    named: dict[Key, Named] = field(default_factory=dict)
    ambiguous: dict[Key, frozenset[int]] = field(default_factory=dict)
    never: dict[Key, dict[int, frozenset[int]]] = field(default_factory=dict)
    same: dict[int, frozenset[Key]] = field(default_factory=dict)
    different: dict[int, tuple[frozenset[Key], frozenset[Key]]] = field(default_factory=dict)


@dataclass(frozen=True)
class IntervalLabels:
    """Per stretch, the person of the newest `is` that covers it, and that correction; NOBODY where there is none."""

    people: np.ndarray
    corrections: np.ndarray


def claims_from(corrections: Sequence[Correction], turns: pd.DataFrame) -> SpeakerClaims:
    """What the corrections say of the speakers in `turns` (video_id, local_speaker, start_s, end_s)."""
    spans, statements = spans_by_video(corrections), SpeakerClaims()
    named, excluded = person_by_correction(corrections, "is"), person_by_correction(corrections, "never")
    sides: defaultdict[tuple[int, int], set[Key]] = defaultdict(set)
    for video_id, of_video in turns[turns.video_id.isin(list(spans))].groupby("video_id", sort=True):
        here = spans[str(video_id)]
        stretches = build_timeline(of_video, (span for each in here.values() for span in each))
        _name(statements, str(video_id), stretches, label_intervals(stretches, named, here))
        _exclude(statements, str(video_id), stretches, excluded, here)
        for (number, side), times in here.items():
            if number not in named and number not in excluded:
                speakers = stretches.speakers_mostly_in(stretches.mask(times))
                sides[number, side].update((str(video_id), speaker) for speaker in speakers)
    for correction in sorted(corrections, key=lambda each: each.correction_id):
        one, other = (frozenset(sides[correction.correction_id, side]) for side in (0, 1))
        if one and other:  # a side of which nothing is left (its videos are gone) says nothing
            if correction.kind == "same":
                statements.same[correction.correction_id] = one | other
            else:
                statements.different[correction.correction_id] = one, other
    return statements


def corrections_touching(corrections: Sequence[Correction], turns: pd.DataFrame, speakers: Container[Key]) -> set[int]:
    """The numbers of the corrections that speak of any of these speakers' own time, however short."""
    spans, found = spans_by_video(corrections), set[int]()
    for video_id, of_video in turns.groupby("video_id", sort=True):
        here = spans.get(str(video_id), {})
        stretches = build_timeline(of_video, (span for each in here.values() for span in each))
        meant = [(str(video_id), speaker) in speakers for speaker in stretches.speakers]
        own = stretches.solo[meant].any(axis=0)
        found |= {number for (number, _), each in here.items() if (own & stretches.mask(each)).any()}
    return found


def spans_by_video(corrections: Iterable[Correction]) -> dict[str, dict[tuple[int, int], list[Interval]]]:
    """Per video, the times of each side of each correction: (correction_id, 0 or 1) -> [(start_s, end_s)]."""
    found: defaultdict[str, defaultdict[tuple[int, int], list[Interval]]] = defaultdict(lambda: defaultdict(list))
    for correction in corrections:
        for side, spans in enumerate((correction.spans, correction.others)):
            for span in spans:
                found[span.video_id][correction.correction_id, side].append((span.start_s, span.end_s))
    return {video_id: dict(sides) for video_id, sides in found.items()}


def person_by_correction(corrections: Iterable[Correction], kind: str) -> dict[int, int]:
    """correction_id -> person_id of the corrections of this kind, `is` or `never`."""
    return {each.correction_id: each.person_id for each in corrections if each.kind == kind and each.person_id is not None}


def label_intervals(
    stretches: Timeline, named: Mapping[int, int], spans: Mapping[tuple[int, int], list[Interval]]
) -> IntervalLabels:
    """Who speaks in each stretch of a video, by the last word on it. `named`: the person of each `is`, by its number."""
    people = np.full(len(stretches.lengths), NOBODY, dtype=np.int64)
    by = people.copy()
    for number, side in sorted(spans):
        if number in named:
            covered = stretches.mask(spans[number, side])
            people[covered], by[covered] = named[number], number
    return IntervalLabels(people, by)


def spans_in(video_id: str, times: Iterable[Interval]) -> tuple[CorrectedSpan, ...]:
    """These times of one video, as a correction keeps them."""
    return tuple(CorrectedSpan(video_id, start, end) for start, end in times)


def _name(statements: SpeakerClaims, video_id: str, stretches: Timeline, said: IntervalLabels) -> None:
    for speaker, own in zip(stretches.speakers, stretches.solo, strict=True):
        people = set(said.people[own].tolist()) - {NOBODY}
        by_person = {person: stretches.seconds(own & (said.people == person)) for person in sorted(people)}
        first, second = [*sorted(people, key=lambda person: -by_person[person]), NOBODY, NOBODY][:2]
        if first == NOBODY or by_person[first] < HALF * stretches.seconds(own):
            continue
        if by_person[first] >= DOMINANCE_RATIO * by_person.get(second, 0.0):
            statements.named[video_id, speaker] = Named(first, _label(said, own & (said.people == first)))
        else:
            statements.ambiguous[video_id, speaker] = _label(said, own & np.isin(said.people, [first, second]))


def _label(said: IntervalLabels, where: np.ndarray) -> frozenset[int]:
    return frozenset(np.unique(said.corrections[where]).tolist())


def _exclude(
    statements: SpeakerClaims,
    video_id: str,
    stretches: Timeline,
    excluded: Mapping[int, int],
    spans: Mapping[tuple[int, int], list[Interval]],
) -> None:
    """Of whom it is said that he is never somebody; several corrections about one person count together."""
    by_person: defaultdict[int, list[int]] = defaultdict(list)
    for number, _ in spans:
        if number in excluded:
            by_person[excluded[number]].append(number)
    for person, numbers in by_person.items():
        covered = stretches.mask(span for number in numbers for span in spans[number, 0])
        for speaker in stretches.speakers_mostly_in(covered):
            statements.never.setdefault((video_id, speaker), {})[person] = frozenset(numbers)
