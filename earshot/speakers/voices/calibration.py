"""Calibration: finds a threshold from pairs of speakers known to be one person or two. Pure functions.

The meaning of a cosine depends on the recordings: languages, microphones, how long people speak. So the threshold can be
derived from the library itself, from four kinds of pairs:

- `halves` (one person): the earlier and the later half of one local speaker's clear speech. Optimistic, because session,
  microphone and room are the same; scores across months and microphones are lower.
- `across` (one person): speakers of two recordings who are the same person by corrections or enrolments.
- `one video` (two people): two local speakers of one video, unless corrections make them one. If the diarization split one
  person in two, the score is high without any error in the threshold; `nearest()` returns the highest pairs for inspection.
- `named` (two people): speakers of two recordings whom corrections or enrolments give different names.

Decisions by profile are not used, because scores would then confirm themselves. The comparison is that of identification: the
cosine of centroids weighted by seconds, each of at least MIN_CLEAR_S of clear speech, in one voice space.

The threshold for a false-accept rate is the lowest cosine, in steps of 0.0001, that at most this share of the pairs of two
people reach. This takes at least 1/rate pairs of two people, and is rough if fewer than RULE_OF_30 of them are false accepts
(Doddington's "rule of 30": with 30 errors, the rate is within 30 % of the true rate with 90 % confidence). The equal error rate
is where both error rates cross on the DET curve. The margin between two people is not calibrated.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.common.errors import EarshotError
from earshot.speakers.voices.assignment import MIN_CLEAR_S
from earshot.speakers.voices.cosine import mean_direction

HALVES, ACROSS, ONE_VIDEO, NAMED = "halves", "across", "one video", "named"
ONE_PERSON, TWO_PEOPLE = (HALVES, ACROSS), (ONE_VIDEO, NAMED)
RULE_OF_30 = 30
STEP = 0.0001

COLUMNS = ["kind", "score", "first", "second"]


class TooFewPairs(EarshotError):
    """The library has too few pairs of two people for the requested rate."""


@dataclass(frozen=True)
class CalibrationSpeaker:
    """One speaker of one recording, with the vectors (turns, dimension) and seconds of the clear turns, in order of time.

    `person` is the person_id from a correction or enrolment; a negative number shared by unnamed speakers with the same voice;
    or None. `enrolled`: an enrolment, whose audio may also be in the library as a video.
    """

    recording: str
    name: str
    person: int | None
    vectors: np.ndarray
    seconds: np.ndarray
    enrolled: bool = False


@dataclass(frozen=True)
class Calibration:
    """A threshold and its evidence.

    `rate` is the requested false-accept rate; `false_accepts` and `false_rejects` are the rates at the threshold, `eer` is the
    equal error rate and `eer_threshold` its threshold. Without pairs of one person, the last three are None. `low_confidence`:
    fewer than RULE_OF_30 false accepts are expected.
    """

    rate: float
    threshold: float
    false_accepts: float
    false_rejects: float | None
    eer: float | None
    eer_threshold: float | None
    one_person: int
    two_people: int
    low_confidence: bool


def pairs_of(speakers: Sequence[CalibrationSpeaker]) -> pd.DataFrame:
    """All pairs: kind, score (cosine), first, second (indices of `speakers`, the same for halves)."""
    long_enough = [index for index, speaker in enumerate(speakers) if speaker.seconds.sum() >= MIN_CLEAR_S]
    rows = [*_halves(speakers, long_enough), *_one_video(speakers, long_enough), *_across_recordings(speakers, long_enough)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"score": float, "first": int, "second": int})


def _halves(speakers: Sequence[CalibrationSpeaker], indices: Iterable[int]) -> Iterator[tuple]:
    for index in indices:
        speaker = speakers[index]
        middle = np.cumsum(speaker.seconds) - speaker.seconds / 2
        earlier = middle < speaker.seconds.sum() / 2
        if not speaker.enrolled and min(speaker.seconds[earlier].sum(), speaker.seconds[~earlier].sum()) >= MIN_CLEAR_S:
            score = _centroid(speaker, earlier) @ _centroid(speaker, ~earlier)
            yield HALVES, float(score), index, index


def _one_video(speakers: Sequence[CalibrationSpeaker], indices: Iterable[int]) -> Iterator[tuple]:
    by_video = defaultdict(list)
    for index in indices:
        if not speakers[index].enrolled:
            by_video[speakers[index].recording].append(index)
    for of_video in by_video.values():
        for first, second, score in _scores(speakers, of_video):
            person = speakers[first].person
            if person is None or person != speakers[second].person:
                yield ONE_VIDEO, score, first, second


def _across_recordings(speakers: Sequence[CalibrationSpeaker], indices: Iterable[int]) -> Iterator[tuple]:
    """The pairs `across` and `named`."""
    for first, second, score in _scores(speakers, [index for index in indices if speakers[index].person is not None]):
        left, right = speakers[first], speakers[second]
        if left.recording == right.recording:
            continue
        if left.person == right.person:
            yield ACROSS, score, first, second
        elif (left.person or 0) > 0 and (right.person or 0) > 0:  # an unnamed speaker may be the same person
            yield NAMED, score, first, second


def _scores(speakers: Sequence[CalibrationSpeaker], indices: Sequence[int]) -> Iterator[tuple[int, int, float]]:
    if len(indices) < 2:
        return
    matrix = np.stack([_centroid(speakers[index]) for index in indices])
    rows, columns = np.triu_indices(len(indices), 1)
    scores = (matrix @ matrix.T)[rows, columns]
    for row, column, score in zip(rows.tolist(), columns.tolist(), scores.tolist(), strict=True):
        yield indices[row], indices[column], score


def _centroid(speaker: CalibrationSpeaker, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    return mean_direction(speaker.vectors[chosen], speaker.seconds[chosen])


def scores_of(pairs: pd.DataFrame, kinds: Sequence[str]) -> np.ndarray:
    """The scores of the pairs of these kinds, in ascending order."""
    return np.sort(pairs.score[pairs.kind.isin(kinds)].to_numpy(np.float64))


def calibrate(pairs: pd.DataFrame, rate: float) -> Calibration:
    """The threshold for this false-accept rate. Raises TooFewPairs."""
    one_person, two_people = scores_of(pairs, ONE_PERSON), scores_of(pairs, TWO_PEOPLE)
    _require_enough(len(two_people), rate)
    threshold = threshold_for(two_people, rate)
    eer, eer_threshold = equal_error_rate(one_person, two_people) if len(one_person) else (None, None)
    return Calibration(
        rate=rate,
        threshold=threshold,
        false_accepts=false_accepts(two_people, threshold),
        false_rejects=false_rejects(one_person, threshold),
        eer=eer,
        eer_threshold=eer_threshold,
        one_person=len(one_person),
        two_people=len(two_people),
        low_confidence=len(two_people) * rate < RULE_OF_30,
    )


def _require_enough(pairs: int, rate: float) -> None:
    needed = math.ceil(round(1.0 / rate, 6))
    if pairs >= needed:
        return
    message = f"A false-accept rate of {rate:g} takes {needed} pairs of two people, and this library has {pairs}."
    more = "Videos with several speakers, corrections and enrolments add pairs."
    if pairs >= 2:
        lowest = math.ceil(1000 / pairs) / 1000
        raise TooFewPairs(message, f"The lowest possible rate is --false-accepts {lowest:g}. {more}")
    raise TooFewPairs(message, more)


def threshold_for(two_people: np.ndarray, rate: float) -> float:
    """The lowest cosine, in steps of STEP, that at most this share of the pairs reaches. `two_people` is in ascending order."""
    allowed = math.floor(round(rate * len(two_people), 6))
    highest_refused = two_people[len(two_people) - 1 - allowed]
    return round((math.floor(round(float(highest_refused) / STEP, 6)) + 1) * STEP, 4)


def equal_error_rate(one_person: np.ndarray, two_people: np.ndarray) -> tuple[float, float]:
    """(rate, threshold) where the share of rejected pairs of one person equals that of accepted pairs of two people."""
    from sklearn.metrics import det_curve  # takes a second to import

    same = np.repeat([1, 0], [len(one_person), len(two_people)])
    accepted, rejected, thresholds = det_curve(same, np.concatenate([one_person, two_people]))
    crossing = int(np.argmin(np.abs(accepted - rejected)))
    return float((accepted[crossing] + rejected[crossing]) / 2), float(thresholds[crossing])


def false_accepts(two_people: np.ndarray, threshold: float) -> float:
    """The share of pairs of two people that the threshold accepts as one person."""
    return float(np.mean(two_people >= threshold))


def false_rejects(one_person: np.ndarray, threshold: float) -> float | None:
    """The share of pairs of one person that the threshold rejects; None if there are none."""
    return float(np.mean(one_person < threshold)) if len(one_person) else None


def nearest(pairs: pd.DataFrame, threshold: float, most: int = 5) -> pd.DataFrame:
    """The pairs of two people that the threshold accepts as one person, highest first, for inspection."""
    accepted = pairs[pairs.kind.isin(TWO_PEOPLE) & (pairs.score >= threshold)]
    return accepted.sort_values(["score", "first", "second"], ascending=[False, True, True]).head(most)
