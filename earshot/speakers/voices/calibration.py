"""Calibration: from pairs of speakers of whom it is known whether they are one person, to a threshold. Pure functions.

What a cosine is worth depends on the recordings: languages, microphones, how long people speak. So the threshold can be read
off the library itself. Its pairs are of four kinds:

- `halves` (one person): the earlier and the later half of one local speaker's clear speech. Optimistic: the same session, the
  same microphone, the same room. Scores over months and microphones are lower.
- `across` (one person): two recordings of which corrections or enrolments say that the same person speaks.
- `one video` (two people): two local speakers of one video, if no correction says that they are one. Where the diarization
  split one person in two, the score is high though nobody was mistaken: `nearest()` names the highest for a look at them.
- `named` (two people): two recordings of which corrections or enrolments name different people.

What a profile decided is no evidence of anything here: a score would then prove itself. What is compared is what identities
are decided by: centroids, weighted by seconds, of at least SHORTEST_CLEAR_S of clear speech. The score is the cosine
similarity, in one voice space.

The threshold for a rate is the lowest cosine, in steps of 0.0001, that at most this share of the pairs of two people reach.
A rate needs one pair of two people in 1/rate at the very least; below RULE_OF_30 of them would-be false accepts it is
rough (Doddington's "rule of 30": 30 errors for 90 % confidence to be within 30 % of the true rate). The equal error rate is
where both kinds of error cross on the DET curve. The margin between two people is not calibrated.
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
    """The library has too few pairs of two people for the rate that was asked for."""


@dataclass(frozen=True)
class CalibrationSpeaker:
    """One speaker of one recording, with the vectors (turns, dimension) and seconds of the clear turns, in order of time.

    `person` is who was said to speak, by a correction or an enrolment: a person's id; below 0 for one who is known to be the
    same as others with that number, but not who; None where nothing was said. `enrolled`: a recording of one person, whose
    audio may also be in the library.
    """

    recording: str
    name: str
    person: int | None
    vectors: np.ndarray
    seconds: np.ndarray
    enrolled: bool = False


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it rests on.

    `rate` was asked for; `false_accepts` and `false_rejects` are the shares found at the threshold (rejects None without pairs
    of one person), `eer` the equal error rate and `eer_threshold` where it is. `low_confidence`: it rests on few false accepts.
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
    """All pairs of whom it is known: kind, score (cosine), first, second (places in `speakers`; the same for halves)."""
    long_enough = [place for place, speaker in enumerate(speakers) if speaker.seconds.sum() >= MIN_CLEAR_S]
    rows = [*_halves(speakers, long_enough), *_one_video(speakers, long_enough), *_said(speakers, long_enough)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"score": float, "first": int, "second": int})


def _halves(speakers: Sequence[CalibrationSpeaker], places: Iterable[int]) -> Iterator[tuple]:
    for place in places:
        speaker = speakers[place]
        middle = np.cumsum(speaker.seconds) - speaker.seconds / 2
        earlier = middle < speaker.seconds.sum() / 2
        if not speaker.enrolled and min(speaker.seconds[earlier].sum(), speaker.seconds[~earlier].sum()) >= MIN_CLEAR_S:
            score = _centroid(speaker, earlier) @ _centroid(speaker, ~earlier)
            yield HALVES, float(score), place, place


def _one_video(speakers: Sequence[CalibrationSpeaker], places: Iterable[int]) -> Iterator[tuple]:
    of_video = defaultdict(list)
    for place in places:
        if not speakers[place].enrolled:
            of_video[speakers[place].recording].append(place)
    for together in of_video.values():
        for first, second, score in _scores(speakers, together):
            one, other = speakers[first].person, speakers[second].person
            if one is None or one != other:
                yield ONE_VIDEO, score, first, second


def _said(speakers: Sequence[CalibrationSpeaker], places: Iterable[int]) -> Iterator[tuple]:
    """Pairs of different recordings of whom something was said."""
    for first, second, score in _scores(speakers, [place for place in places if speakers[place].person is not None]):
        one, other = speakers[first], speakers[second]
        if one.recording == other.recording:
            continue
        if one.person == other.person:
            yield ACROSS, score, first, second
        elif (one.person or 0) > 0 and (other.person or 0) > 0:  # who is not named may be anybody
            yield NAMED, score, first, second


def _scores(speakers: Sequence[CalibrationSpeaker], places: Sequence[int]) -> Iterator[tuple[int, int, float]]:
    if len(places) < 2:
        return
    matrix = np.stack([_centroid(speakers[place]) for place in places])
    rows, columns = np.triu_indices(len(places), 1)
    scores = (matrix @ matrix.T)[rows, columns]
    for row, column, score in zip(rows.tolist(), columns.tolist(), scores.tolist(), strict=True):
        yield places[row], places[column], score


def _centroid(speaker: CalibrationSpeaker, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    return mean_direction(speaker.vectors[chosen], speaker.seconds[chosen])


def scores_of(pairs: pd.DataFrame, kinds: Sequence[str]) -> np.ndarray:
    """The scores of the pairs of these kinds, rising."""
    return np.sort(pairs.score[pairs.kind.isin(kinds)].to_numpy(np.float64))


def calibrate(pairs: pd.DataFrame, rate: float) -> Calibration:
    """The threshold for this rate of false accepts. Raises TooFewPairs."""
    one, two = scores_of(pairs, ONE_PERSON), scores_of(pairs, TWO_PEOPLE)
    _require_enough(len(two), rate)
    threshold = threshold_for(two, rate)
    eer, eer_threshold = equal_error_rate(one, two) if len(one) else (None, None)
    return Calibration(
        rate=rate,
        threshold=threshold,
        false_accepts=false_accepts(two, threshold),
        false_rejects=false_rejects(one, threshold),
        eer=eer,
        eer_threshold=eer_threshold,
        one_person=len(one),
        two_people=len(two),
        low_confidence=len(two) * rate < RULE_OF_30,
    )


def _require_enough(pairs: int, rate: float) -> None:
    needed = math.ceil(round(1.0 / rate, 6))
    if pairs >= needed:
        return
    found = f"A false-accept rate of {rate:g} takes {needed} pairs of two people, and this library has {pairs}."
    more = "Videos of several speakers make more, and so do corrections and enrolments."
    if pairs >= 2:
        lowest = math.ceil(1000 / pairs) / 1000
        raise TooFewPairs(found, f"The lowest that it can tell is --false-accepts {lowest:g}. {more}")
    raise TooFewPairs(found, more)


def threshold_for(two_people: np.ndarray, rate: float) -> float:
    """The lowest cosine, in steps of STEP, that at most this share of the pairs reaches. `two_people` is rising."""
    allowed = math.floor(round(rate * len(two_people), 6))
    highest_refused = two_people[len(two_people) - 1 - allowed]
    return round((math.floor(round(float(highest_refused) / STEP, 6)) + 1) * STEP, 4)


def equal_error_rate(one_person: np.ndarray, two_people: np.ndarray) -> tuple[float, float]:
    """(rate, threshold) where as large a share of one person's pairs is rejected as of two people's is accepted."""
    from sklearn.metrics import det_curve  # a second

    same = np.repeat([1, 0], [len(one_person), len(two_people)])
    accepted, rejected, thresholds = det_curve(same, np.concatenate([one_person, two_people]))
    place = int(np.argmin(np.abs(accepted - rejected)))
    return float((accepted[place] + rejected[place]) / 2), float(thresholds[place])


def false_accepts(two_people: np.ndarray, threshold: float) -> float:
    """The share of pairs of two people that would pass for one."""
    return float(np.mean(two_people >= threshold))


def false_rejects(one_person: np.ndarray, threshold: float) -> float | None:
    """The share of pairs of one person that would not; None where there are none."""
    return float(np.mean(one_person < threshold)) if len(one_person) else None


def nearest(pairs: pd.DataFrame, threshold: float, most: int = 5) -> pd.DataFrame:
    """The pairs of two people that would pass for one, the highest first: to be looked at."""
    passing = pairs[pairs.kind.isin(TWO_PEOPLE) & (pairs.score >= threshold)]
    return passing.sort_values(["score", "first", "second"], ascending=[False, True, True]).head(most)
