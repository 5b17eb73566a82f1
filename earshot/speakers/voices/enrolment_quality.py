"""Quality of an excerpt of a recording as an enrolment: its clean speech, the samples cut from it, and the verdict. Pure.

Clean speech is the main voice speaking alone. The main voice is the one that speaks longest, assumed to be the person; other
voices count against the excerpt. Clean speech is cut into samples of a few seconds, because the spread of their vectors shows a
second voice that the diarization missed.

| constant | value | why |
|---|---|---|
| `SAMPLE_S` | 4 s | a length that the voice encoder takes unchanged: long enough to be stable, short enough for several |
| `MIN_SAMPLE_S` | 1 s | the encoder's shortest; below it, sound would be repeated to fill it |
| `MAX_SAMPLES` | 75 | 300 s, the maximum of Microsoft's speaker recognition: more would outweigh other recordings |
| `MIN_CLEAN_S` | 3 s | below, verification becomes unstable (arXiv 2606.16115, on VoxCeleb) |
| `GOOD_CLEAN_S` | 10 s | the shortest condition of NIST's evaluations (10sec-10sec); Microsoft asked for 20 s |
| `MAX_OTHER_SHARE` | 0.15 | of all speech: a diarization error rate of 0.1 is usual, so this is more than its error |
| `WIDE_SPREAD` | 0.7 | measured, see below |

Measured with CAM++ on the six voices in the recordings of bench/corpora/episodes.py, as diarized. The spread (the lowest cosine
of a sample to the mean of the samples) was 0.73 to 0.94 within one voice, and below 0.7 in 58 of 73 mixtures of two voices, the
second with a fifth, a third or half of the samples. A wide spread only makes an enrolment `fair`, because noise and a change of
microphone also cause it. The mean of 1, 2, 4, 8, 12 s of the narrator's samples had a cosine of 0.82, 0.88, 0.91, 0.94, 0.95 to
that of the rest: beyond about 10 s, more of the same recording adds little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.timeline import Interval, Timeline, build_timeline
from earshot.common.times import tenths
from earshot.speakers.voices.cosine import mean_direction

SAMPLE_S = 4.0
MIN_SAMPLE_S = 1.0
MAX_SAMPLES = 75
MIN_CLEAN_S = 3.0
GOOD_CLEAN_S = 10.0
MAX_OTHER_SHARE = 0.15
WIDE_SPREAD = 0.7
# A recording without speech below this level (-60 dBFS) is reported as silent.
SILENT_LEVEL = 0.001


class EnrolmentVerdict(StrEnum):
    """The verdict on an excerpt, as stored in table `enrolment_judgements`."""

    GOOD = "good"
    FAIR = "fair"
    REFUSED = "refused"


@dataclass(frozen=True)
class Quality:
    """An excerpt's verdict in one voice space, with the reasons, "" if good.

    `clean_s` and `other_voice_s`: seconds of clean speech and of other voices. `spread`: the lowest cosine of a sample to the
    mean of the samples, None for a single sample.
    """

    verdict: EnrolmentVerdict
    reasons: str
    clean_s: float
    other_voice_s: float
    spread: float | None

    @property
    def refused(self) -> bool:
        return self.verdict == EnrolmentVerdict.REFUSED


@dataclass(frozen=True)
class Samples:
    """The samples of an excerpt: the recording's sha256, n spans in it, and (n, dimension) float32 vectors of unit length."""

    audio_sha256: str
    spans: tuple[SampleSpan, ...]
    vectors: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        return np.array([(last - first) / SAMPLE_RATE for first, last in self.spans])


@dataclass(frozen=True)
class Speech:
    """The speech in an excerpt.

    `clean`: the times of clean speech that are long enough for a sample. `other_voice_s` and `speech_s`: seconds in which
    another voice, and in which any voice, speaks.
    """

    clean: tuple[Interval, ...]
    other_voice_s: float
    speech_s: float

    @property
    def clean_s(self) -> float:
        return sum(end - start for start, end in self.clean)


def clean_speech(turns: pd.DataFrame, excerpt: Interval, forgotten: Sequence[Interval] = ()) -> Speech:
    """The speech in an excerpt, from turns (start_s, end_s, local_speaker). Forgotten times are ignored."""
    timeline = build_timeline(turns, [excerpt, *forgotten])
    if not timeline.speakers:
        return Speech((), 0.0, 0.0)
    inside = timeline.mask([excerpt]) & ~timeline.mask(forgotten)
    spoken = timeline.speaking & inside
    main = int(np.argmax(spoken @ timeline.lengths))  # the first one if several speak equally long
    others = np.asarray(np.delete(spoken, main, axis=0).any(axis=0))
    clean = tuple(run for run in _runs(timeline, spoken[main] & ~others) if run[1] - run[0] >= MIN_SAMPLE_S)
    return Speech(clean, timeline.seconds(others), timeline.seconds(spoken[main] | others))


def _runs(timeline: Timeline, chosen: np.ndarray) -> list[Interval]:
    """The chosen stretches, adjacent ones merged."""
    changes = np.flatnonzero(np.diff(chosen.astype(int), prepend=0, append=0))
    edges = timeline.edges[changes].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def enrolment_spans(clean: Sequence[Interval]) -> list[SampleSpan]:
    """Each time of clean speech in equal parts of 1 to 4 s, as (first sample, one past the last) of the recording.

    If there are more than MAX_SAMPLES, that many of them, evenly spread over the excerpt.
    """
    spans = [span for start, end in clean for span in _parts(start, end)]
    if len(spans) <= MAX_SAMPLES:
        return spans
    return [spans[index] for index in np.linspace(0, len(spans) - 1, MAX_SAMPLES).round().astype(int)]


def _parts(start: float, end: float) -> list[SampleSpan]:
    first, last = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
    count = max(1, -(-(last - first) // round(SAMPLE_S * SAMPLE_RATE)))
    return list(pairwise(np.linspace(first, last, count + 1).round().astype(int).tolist()))


def assess_quality(speech: Speech, vectors: np.ndarray, seconds: np.ndarray, level: float) -> Quality:
    """The quality of an excerpt, from its speech, its samples' vectors and lengths, and the root mean square of its audio."""
    spread = lowest_cosine(vectors, seconds)
    refusals = _refusals(speech, level)
    reasons = refusals or _doubts(speech, spread)
    verdict = EnrolmentVerdict.REFUSED if refusals else EnrolmentVerdict.FAIR if reasons else EnrolmentVerdict.GOOD
    return Quality(verdict, "; ".join(reasons), speech.clean_s, speech.other_voice_s, spread)


def lowest_cosine(vectors: np.ndarray, seconds: np.ndarray) -> float | None:
    """The lowest cosine of a sample to the mean of the samples; None for fewer than two."""
    return float((vectors @ mean_direction(vectors, seconds)).min()) if len(vectors) > 1 else None


def _refusals(speech: Speech, level: float) -> list[str]:
    if speech.speech_s == 0.0:
        return ["it is silent" if level < SILENT_LEVEL else "there is no speech in it, only music or noise"]
    reasons = []
    if speech.clean_s < MIN_CLEAN_S:
        reasons.append(f"{tenths(speech.clean_s)} s of clean speech, at least {MIN_CLEAN_S:g} s are needed")
    share = speech.other_voice_s / speech.speech_s
    if share > MAX_OTHER_SHARE:
        reasons.append(f"another voice speaks in {share:.0%} of its speech (at most {MAX_OTHER_SHARE:.0%} allowed)")
    return reasons


def _doubts(speech: Speech, spread: float | None) -> list[str]:
    reasons = []
    if speech.clean_s < GOOD_CLEAN_S:
        reasons.append(f"{tenths(speech.clean_s)} s of clean speech; {GOOD_CLEAN_S:g} s or more is better")
    if spread is not None and spread < WIDE_SPREAD:
        reasons.append(
            f"its samples differ widely (cosine {spread:.2f} to their mean, below {WIDE_SPREAD:g}): a second voice, or noise"
        )
    return reasons
