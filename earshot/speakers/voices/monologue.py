"""Monologue detection: finds out whether one enrolled person speaks alone in a video, without the costly part of diarization.

Pure functions; speaker_turns.py calls them in order. The evidence always covers the whole audio:

1. *How many speakers.* The segmentation network processes every second of the audio in several windows of ten seconds. If
   someone else speaks within a few seconds of the first speaker, these windows have a second speaker (`reason_for_doubt`).
2. *Which speaker.* The speaker network finds a voice that comes after a long pause, or that the segmentation confuses with the
   first: every WINDOW_STEP_S of speech it embeds WINDOW_S of speech, without pauses (`windows`), and each window is compared
   with all profiles by the rule for local speakers: nearest, at or above the threshold, and ahead of the second by the margin
   (`accept_monologue`).

All windows must match the same person. Any doubt leads to full diarization: too little speech, no enrolments, or one window
that matches someone else or no one. A wrong rejection costs only the windows; a wrong acceptance would attribute words to the
wrong person.

Not detected: a second voice that never speaks within ten seconds of the first, and that either matches the same profile or
never speaks for 7 s in a row.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.models.registry import Thresholds
from earshot.speakers.voices.cosine import SCALE, as_cosine, as_product, is_usable, quantize
from earshot.speakers.voices.profiles import Profiles, nearest_people

# Below this, full diarization takes little time, and the few windows prove little.
MIN_SPEECH_S = 30.0
# Speech per window: the length of the pieces that the speaker network takes. With CAM++, windows of a recording score 0.87 or
# more against a profile of the rest (windows of 3 s: 0.79 or more), and 0.55 or less if 3 of the 4 s are of a different voice.
WINDOW_S = 4.0
# Seconds of speech between the starts of two windows: a different voice that speaks for 7 s in a row fills enough of a window,
# wherever it is. The windows take about a twentieth of the time of full diarization.
WINDOW_STEP_S = 5.0
# Least speech of a second speaker in a segmentation window. In recordings of one voice, also in noise, one window in 300 had a
# second speaker, for 0.29 s.
SECOND_SPEAKER_S = 0.25
SEGMENTATION_WINDOW_S = 10.0
# Nearly all windows that cover a real second speaker detect one. Of the windows over any second, this share may be wrong.
TOLERANCE_SHARE = 0.2

NO_PROFILE = "no profile: no person is enrolled in this voice space"

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Monologue:
    """The decision. `person_id` is None if rejected; `reason` has no names; `windows` counts the embedded windows."""

    accepted: bool
    reason: str
    person_id: int | None = None
    windows: int = 0


def diarize_in_full(reason: str, windows: int = 0) -> Monologue:
    """The decision for full diarization."""
    return Monologue(False, reason, windows=windows)


def reason_for_doubt(speech: pd.DataFrame, second_speaker_s: np.ndarray, step_s: float) -> str:
    """Why the video needs full diarization; "" if its windows should be embedded.

    `speech`: intervals (start_s, end_s) in which anyone speaks. `second_speaker_s`: for each segmentation window in order, the
    seconds of a second speaker. A window starts every `step_s`.
    """
    speech_s = float((speech.end_s - speech.start_s).sum())
    if speech_s < MIN_SPEECH_S:
        return f"little speech: {speech_s:.1f} s, at least {MIN_SPEECH_S:g} s are needed"
    two_speakers = second_speaker_s >= SECOND_SPEAKER_S
    covering = np.ones(round(SEGMENTATION_WINDOW_S / step_s))  # the windows that cover the same step of audio
    doubtful = np.convolve(two_speakers, covering) > TOLERANCE_SHARE * np.convolve(np.ones(len(two_speakers)), covering)
    if doubtful.any():
        first = max(int(np.argmax(doubtful)) + 1 - len(covering), 0)
        first_s = step_s * (first + int(np.argmax(two_speakers[first:])))
        return f"second speaker: first detected between {first_s:g} and {first_s + SEGMENTATION_WINDOW_S:g} s"
    return ""


def windows(speech: Sequence[tuple[int, int]]) -> list[Spans]:
    """Windows over these spans of speech (more than WINDOW_S together), each as spans with WINDOW_S of speech in total.

    The first starts where the speech starts, the last ends where it ends; starts are at most WINDOW_STEP_S of speech apart.
    """
    until = np.cumsum([0, *(last - first for first, last in speech)])  # samples of speech before each span
    size = round(WINDOW_S * SAMPLE_RATE)
    count = 1 + math.ceil((until[-1] - size) / (WINDOW_STEP_S * SAMPLE_RATE))
    starts = np.linspace(0, until[-1] - size, count).round().astype(int).tolist()
    return [_spans(speech, until, start, start + size) for start in starts]


def _spans(speech: Sequence[tuple[int, int]], until: np.ndarray, start: int, end: int) -> Spans:
    """From `start` to `end`, counted in samples of speech, as spans of samples of the audio."""
    indices = range(int(np.searchsorted(until, start, "right")) - 1, int(np.searchsorted(until, end, "left")))
    shift = {index: speech[index][0] - int(until[index]) for index in indices}
    return tuple(
        (max(start, int(until[index])) + shift[index], min(end, int(until[index + 1])) + shift[index]) for index in indices
    )


def concatenate_windows(samples: np.ndarray, chosen: Iterable[Spans]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The samples of these windows in one array, and the span of each window in it."""
    parts = [np.concatenate([samples[start:stop] for start, stop in spans]) for spans in chosen]
    edges = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return np.concatenate(parts), list(pairwise(edges))


def accept_monologue(vectors: np.ndarray, profiles: Profiles, limits: Thresholds) -> Monologue:
    """Whether all windows (one vector each, in order of time) match the same person."""
    count = len(vectors)
    if not len(profiles.people):
        return diarize_in_full(NO_PROFILE, count)
    if not count or not is_usable(vectors).all():
        return diarize_in_full("no vector: a window has no usable one", count)
    nearest = nearest_people(quantize(vectors), np.ones(count, dtype=bool), profiles, {}, {})
    score, ahead = as_cosine(nearest.first), (nearest.first - nearest.second) / SCALE
    sure = (nearest.first >= as_product(limits.threshold)) & ~(nearest.first - nearest.second < as_product(limits.margin))
    if not sure.all():
        index = int(np.argmin(sure))
        return diarize_in_full(f"unsure: window {index + 1} of {count} is at {score[index]:.2f}, {_lead(ahead[index])}", count)
    if (nearest.person != nearest.person[0]).any():
        return diarize_in_full("two people: the windows match more than one", count)
    reason = f"one voice: {count} windows at {score.min():.2f} or more, {_lead(ahead.min())}"
    return Monologue(True, reason, int(profiles.people[nearest.person[0]]), count)


def _lead(ahead: float) -> str:
    """The lead over the second person, in words; NaN if there is none."""
    return "with no one else enrolled" if np.isnan(ahead) else f"{ahead:.2f} ahead of the second person"
