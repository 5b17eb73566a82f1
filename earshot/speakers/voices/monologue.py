"""Monologue: whether one enrolled voice fills a video, told without the costly part of the diarization.

Pure; the order of it is speaker_turns.py. The evidence is of the whole audio, never of its beginning alone:

1. *How many speak.* The segmentation network hears every second of the audio in several windows of ten seconds. Where somebody
   else speaks within some seconds of the first, these windows hold a second speaker (`reason_for_doubt`).
2. *Who speaks.* A voice that comes after a long pause, or is taken for the first, is left to the speaker network: it embeds
   WINDOW_S of speech, pauses left out, in every WINDOW_STEP_S of speech (`windows`), and each window is held against
   everybody's profile by the rule that local speakers are named by: nearest, at or above the threshold, nearer than the
   second by the margin (`accept_monologue`).

All windows must say the same person. Any doubt means that the video is diarized in full: too little speech, nobody enrolled,
one window that says somebody else or nobody. A wrong no costs the windows; a wrong yes would give one person another's words.

Not told apart: a second voice that never comes within ten seconds of the first, and is itself near enough to the profile to be
named by it, or has no 7 s of speech in a row.
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

# Below it the whole diarization takes little, and so few windows prove little.
MIN_SPEECH_S = 30.0
# Speech in a window: as long as a piece that the speaker network is given. With CAM++ windows of a recording score 0.87 or more
# against a profile of its other part (those of 3 s: 0.79 or more), and 0.55 or less where 3 of the 4 s are of an unlike voice.
WINDOW_S = 4.0
# From one window's beginning to the next, in seconds of speech: an unlike voice of 7 s in a row fills a window enough, wherever
# it lies. The windows take about a twentieth of the full way's time.
WINDOW_STEP_S = 5.0
# A second speaker of a segmentation window counts from here on: of recordings of one voice, also in noise, one window in 300
# held a second one, for 0.29 s. A real one is heard by nearly all windows that he speaks in, which are fewer at the
# beginning and the end; of those that hear one and the same second, this share may be wrong.
SECOND_SPEAKER_S = 0.25
SEGMENTATION_WINDOW_S = 10.0  # of a segmentation window
TOLERANCE_SHARE = 0.2

NO_PROFILE = "no profile: nobody is enrolled in this voice space"

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Monologue:
    """What was decided: `person_id` is None where it was not taken, `reason` holds no name, `windows` were embedded."""

    taken: bool
    reason: str
    person_id: int | None = None
    windows: int = 0


def diarize_in_full(reason: str, windows: int = 0) -> Monologue:
    """The decision to diarize in full."""
    return Monologue(False, reason, windows=windows)


def reason_for_doubt(speech: pd.DataFrame, second_speaker_s: np.ndarray, step_s: float) -> str:
    """Why no voice needs to be looked at, "" where it should be.

    `speech`: stretches (start_s, end_s) in which anybody speaks; `second_speaker_s`: of each segmentation window in order, the
    seconds of its second speaker; a window begins every `step_s`.
    """
    speech_s = float((speech.end_s - speech.start_s).sum())
    if speech_s < MIN_SPEECH_S:
        return f"little speech: {speech_s:.1f} s, {MIN_SPEECH_S:g} s are needed"
    two = second_speaker_s >= SECOND_SPEAKER_S
    second = np.ones(round(SEGMENTATION_WINDOW_S / step_s))  # the windows that hear one and the same second
    doubtful = np.convolve(two, second) > TOLERANCE_SHARE * np.convolve(np.ones(len(two)), second)
    if doubtful.any():
        near = max(int(np.argmax(doubtful)) + 1 - len(second), 0)
        near_s = step_s * (near + int(np.argmax(two[near:])))
        return f"second speaker: one is heard, first between {near_s:g} and {near_s + SEGMENTATION_WINDOW_S:g} s"
    return ""


def windows(speech: Sequence[tuple[int, int]]) -> list[Spans]:
    """The windows, each as spans of samples that hold WINDOW_S of speech together, of stretches of speech that hold more.

    They begin at most WINDOW_STEP_S of speech apart, the first where speech begins; the last ends where it ends.
    """
    until = np.cumsum([0, *(last - first for first, last in speech)])  # samples of speech before each stretch
    size = round(WINDOW_S * SAMPLE_RATE)
    count = 1 + math.ceil((until[-1] - size) / (WINDOW_STEP_S * SAMPLE_RATE))
    begins = np.linspace(0, until[-1] - size, count).round().astype(int).tolist()
    return [_spans(speech, until, begin, begin + size) for begin in begins]


def _spans(speech: Sequence[tuple[int, int]], until: np.ndarray, begin: int, end: int) -> Spans:
    """From `begin` to `end`, counted in samples of speech, as spans of the audio's samples."""
    stretches = range(int(np.searchsorted(until, begin, "right")) - 1, int(np.searchsorted(until, end, "left")))
    shift = {index: speech[index][0] - int(until[index]) for index in stretches}
    return tuple(
        (max(begin, int(until[index])) + shift[index], min(end, int(until[index + 1])) + shift[index]) for index in stretches
    )


def merge_intervals(samples: np.ndarray, chosen: Iterable[Spans]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The windows' samples in one row, and where each begins and ends in it."""
    parts = [np.concatenate([samples[start:stop] for start, stop in spans]) for spans in chosen]
    edges = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return np.concatenate(parts), list(pairwise(edges))


def accept_monologue(vectors: np.ndarray, profiles: Profiles, limits: Thresholds) -> Monologue:
    """Whether all windows (one vector each, in order of time) say the same person."""
    count = len(vectors)
    if not len(profiles.people):
        return diarize_in_full(NO_PROFILE, count)
    if not count or not is_usable(vectors).all():
        return diarize_in_full("no vector: a window's says nothing", count)
    nearest = nearest_people(quantize(vectors), np.ones(count, dtype=bool), profiles, {}, {})
    score, ahead = as_cosine(nearest.first), (nearest.first - nearest.second) / SCALE
    sure = (nearest.first >= as_product(limits.threshold)) & ~(nearest.first - nearest.second < as_product(limits.margin))
    if not sure.all():
        index = int(np.argmin(sure))
        return diarize_in_full(f"unsure: window {index + 1} of {count} is at {score[index]:.2f}, {_told(ahead[index])}", count)
    if (nearest.person != nearest.person[0]).any():
        return diarize_in_full("two people: the windows say more than one", count)
    reason = f"one voice: {count} windows at {score.min():.2f} or more, {_told(ahead.min())}"
    return Monologue(True, reason, int(profiles.people[nearest.person[0]]), count)


def _told(ahead: float) -> str:
    """How far ahead of the second person; NaN where nobody is."""
    return "with nobody else enrolled" if np.isnan(ahead) else f"{ahead:.2f} ahead of the second person"
