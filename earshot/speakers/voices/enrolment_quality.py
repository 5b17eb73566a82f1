"""What an excerpt of a recording is worth as an enrolment: its clean speech, the samples cut from it, and the verdict. Pure.

Clean is what one voice says alone. Of several voices in an excerpt, that which speaks longest is taken for the person's; the
others speak against the excerpt. Clean speech is cut into samples of a few seconds, since how far their vectors lie apart shows
a second voice that the diarization did not tell from the first.

| constant | value | why |
|---|---|---|
| `SAMPLE_S` | 4 s | a length that the voice encoder takes as it is: long enough for a steady vector, short enough for several |
| `MIN_SAMPLE_S` | 1 s | the encoder's shortest; below it, sound would be repeated to fill it |
| `MAX_SAMPLES` | 75 | 300 s, the most that Microsoft's speaker recognition took: more would outweigh other recordings |
| `MIN_CLEAN_S` | 3 s | below, verification is known to become unstable (arXiv 2606.16115, on VoxCeleb) |
| `GOOD_CLEAN_S` | 10 s | the shortest condition of NIST's evaluations (10sec-10sec); Microsoft asked for 20 s |
| `MAX_OTHER_SHARE` | 0.15 | of all speech: a diarization error rate of 0.1 is usual, so this much is not its error alone |
| `WIDE_SPREAD` | 0.7 | measured, see below |

Measured with CAM++ on the six voices in the recordings of bench/corpora/episodes.py, as the diarization told them apart. Spread
(the lowest cosine of a sample to their mean) was 0.73 to 0.94 within one voice, and below 0.7 in 58 of 73 mixtures of samples
of two different voices, the second with a fifth, a third or half of them. It only makes an enrolment `fair`, since noise and
another microphone spread samples, too. The mean of 1, 2, 4, 8, 12 s of the narrator's samples had a cosine of 0.82, 0.88, 0.91,
0.94, 0.95 to that of the rest: from about 10 s on, more of the same recording adds little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.timeline import Interval, Timeline, build_timeline
from earshot.speakers.voices.cosine import mean_direction

SAMPLE_S = 4.0
MIN_SAMPLE_S = 1.0
MAX_SAMPLES = 75
MIN_CLEAN_S = 3.0
GOOD_CLEAN_S = 10.0
MAX_OTHER_SHARE = 0.15
WIDE_SPREAD = 0.7
# Below this level (60 dB under full scale) a recording that holds no speech is called silent.
SILENT_LEVEL = 0.001


class Verdict(StrEnum):
    """What an excerpt is worth, as table `enrolment_judgements` holds it."""

    GOOD = "good"
    FAIR = "fair"
    REFUSED = "refused"


@dataclass(frozen=True)
class Quality:
    """What an excerpt is worth in one voice space. `reasons` is "" where it is good.

    Seconds of clean speech, and of another voice;
    `spread`: the lowest cosine of a sample to their mean, None for a single sample.
    """

    verdict: Verdict
    reasons: str
    clean_s: float
    other_voice_s: float
    spread: float | None

    @property
    def refused(self) -> bool:
        return self.verdict == Verdict.REFUSED


@dataclass(frozen=True)
class Samples:
    """The samples of an excerpt: the recording's sha256, n spans in it, and (n, dimension) float32 vectors of length one."""

    audio_sha256: str
    spans: tuple[SampleSpan, ...]
    vectors: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        return np.array([(last - first) / SAMPLE_RATE for first, last in self.spans])


@dataclass(frozen=True)
class Speech:
    """What is said in an excerpt.

    The times of clean speech that are long enough for a sample; for how many seconds another voice is heard, and anybody.
    """

    clean: tuple[Interval, ...]
    other_voice_s: float
    heard_s: float

    @property
    def clean_s(self) -> float:
        return sum(end - start for start, end in self.clean)


def clean_speech(turns: pd.DataFrame, excerpt: Interval, forgotten: Sequence[Interval] = ()) -> Speech:
    """Of turns (start_s, end_s, local_speaker), what the main voice says alone in an excerpt, but for what was forgotten."""
    parts = build_timeline(turns, [excerpt, *forgotten])
    if not parts.speakers:
        return Speech((), 0.0, 0.0)
    inside = parts.mask([excerpt]) & ~parts.mask(forgotten)
    spoken = parts.speaking & inside
    main = int(np.argmax(spoken @ parts.lengths))  # the first of two that speak equally long
    others = np.asarray(np.delete(spoken, main, axis=0).any(axis=0))
    clean = tuple(run for run in _runs(parts, spoken[main] & ~others) if run[1] - run[0] >= MIN_SAMPLE_S)
    return Speech(clean, parts.seconds(others), parts.seconds(spoken[main] | others))


def _runs(parts: Timeline, chosen: np.ndarray) -> list[Interval]:
    """The chosen stretches, neighbours joined."""
    changes = np.flatnonzero(np.diff(chosen.astype(int), prepend=0, append=0))
    edges = parts.edges[changes].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def enrolment_spans(clean: Sequence[Interval]) -> list[SampleSpan]:
    """Equal parts of each time of clean speech, of 1 to 4 s, as (first sample, one past the last) of the recording.

    Where there are more than MAX_SAMPLES, as many of them, spread evenly: not the first ones.
    """
    spans = [span for start, end in clean for span in _parts(start, end)]
    if len(spans) <= MAX_SAMPLES:
        return spans
    return [spans[place] for place in np.linspace(0, len(spans) - 1, MAX_SAMPLES).round().astype(int)]


def _parts(start: float, end: float) -> list[SampleSpan]:
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    count = max(1, -(-(last - first) // round(SAMPLE_S * SAMPLE_RATE)))
    return list(pairwise(np.linspace(first, last, count + 1).round().astype(int).tolist()))


def assess_quality(speech: Speech, vectors: np.ndarray, seconds: np.ndarray, level: float) -> Quality:
    """The verdict on an excerpt, from its speech, its samples' vectors and lengths, and the root mean square of its sound."""
    spread = lowest_cosine(vectors, seconds)
    refusals = _refusals(speech, level)
    reasons = refusals or _doubts(speech, spread)
    verdict = Verdict.REFUSED if refusals else Verdict.FAIR if reasons else Verdict.GOOD
    return Quality(verdict, "; ".join(reasons), speech.clean_s, speech.other_voice_s, spread)


def tenths(seconds: float) -> str:
    """Seconds rounded down to a tenth: 2.99 s, which is too short for a limit of 3 s, must not read as 3.0."""
    return f"{math.floor(seconds * 10 + 1e-6) / 10:.1f}"


def lowest_cosine(vectors: np.ndarray, seconds: np.ndarray) -> float | None:
    """The lowest cosine of a sample to their mean; None for less than two."""
    return float((vectors @ mean_direction(vectors, seconds)).min()) if len(vectors) > 1 else None


def _refusals(speech: Speech, level: float) -> list[str]:
    if speech.heard_s == 0.0:
        return ["it is silent" if level < SILENT_LEVEL else "nobody speaks in it: music or noise only"]
    reasons = []
    if speech.clean_s < MIN_CLEAN_S:
        reasons.append(f"{tenths(speech.clean_s)} s of clean speech, and {MIN_CLEAN_S:g} s is the least")
    share = speech.other_voice_s / speech.heard_s
    if share > MAX_OTHER_SHARE:
        reasons.append(f"another voice is heard in {share:.0%} of its speech ({MAX_OTHER_SHARE:.0%} is the most)")
    return reasons


def _doubts(speech: Speech, spread: float | None) -> list[str]:
    reasons = []
    if speech.clean_s < GOOD_CLEAN_S:
        reasons.append(f"{tenths(speech.clean_s)} s of clean speech; {GOOD_CLEAN_S:g} s or more is better")
    if spread is not None and spread < WIDE_SPREAD:
        reasons.append(
            f"its samples lie far apart (cosine {spread:.2f} to their mean, below {WIDE_SPREAD:g}): a second voice, or noise"
        )
    return reasons
