"""A second look at weak windows: what makes a reading weak, where its window is cut, and which reading is kept. Pure functions.

Whisper says itself that it was lost: by a low probability of its tokens, or by text that repeats itself. Such a window of up to
30 s is read again in two halves, cut where it is quietest, without the hints; if a loop is left that was not said, once more
with no three tokens allowed twice. Whisper's own remedy, sampling at higher temperatures, is not used: ctranslate2 seeds its
random numbers once a thread, so that a recording would be read otherwise each time (docs/measurements/weak-spans.md).

BatchedPipeline does the reading.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import numpy as np
from faster_whisper.transcribe import get_compression_ratio

from earshot.models.speech.loops import Loop, bare_words, longest_loop

# Whisper's own thresholds: logprob_threshold, compression_ratio_threshold and no_speech_threshold.
WEAK_LOGPROB, LOOP_RATIO, NO_SPEECH = -1.0, 2.4, 0.6
LOOP_REPEATS, LOOP_WORDS = 3, 6  # shorter runs are said: "no, no, no"
BETTER_BY = 0.1  # of mean log probability; less is chance
UNREPEATED = 3  # tokens
# Phrases that were really repeated are heard with -0.25 or more, and spelt alike (docs/measurements/weak-spans.md).
SURE_LOGPROB, ALIKE = -0.35, 0.5
# The cut lies in the middle third, at the frame around which a seventh of a second is quietest.
FIRST_CUT, LAST_CUT, QUIET_FRAMES = 0.35, 0.65, 15


@dataclass(frozen=True)
class WindowReading:
    """What whisper read in a window, the mean log probability of its tokens, and the probability that no one speaks."""

    tokens: tuple[int, ...]
    text: str
    logprob: float
    no_speech: float

    @cached_property
    def words(self) -> list[str]:
        """Without case and punctuation."""
        return bare_words(self.text.split())

    @cached_property
    def loop(self) -> Loop:
        return longest_loop(self.words)

    @cached_property
    def phrase(self) -> str:
        """The words of the loop in the order of the alphabet, because a loop may begin with any of them."""
        return " ".join(sorted(self.words[self.loop.first :][: self.loop.length]))

    @cached_property
    def ratio(self) -> float:
        return get_compression_ratio(self.text.strip())

    @property
    def loops(self) -> bool:
        runs = self.loop.repeats >= LOOP_REPEATS and self.loop.repeats * self.loop.length >= LOOP_WORDS
        return runs or self.ratio > LOOP_RATIO

    @property
    def silent(self) -> bool:
        """Whether whisper hears no speech, by its own rule."""
        return self.no_speech > NO_SPEECH and self.logprob < WEAK_LOGPROB

    @property
    def weak(self) -> bool:
        return bool(self.tokens) and (self.loops or self.logprob < WEAK_LOGPROB)


NOTHING = WindowReading((), "", 0.0, 1.0)


def join(left: WindowReading, right: WindowReading) -> WindowReading:
    """The reading of two halves; one in which no one speaks gives no words."""
    heard = [half for half in (left, right) if half.tokens and not half.silent]
    if not heard:
        return NOTHING
    tokens = tuple(token for half in heard for token in half.tokens)
    logprob = float(np.average([half.logprob for half in heard], weights=[len(half.tokens) for half in heard]))
    text = "".join(half.text for half in heard)
    return WindowReading(tokens, text, logprob, min(half.no_speech for half in heard))


def better(first: WindowReading, second: WindowReading) -> WindowReading:
    """The reading to keep.

    The second, if whisper heard no speech in the first. One that does not loop; of two loops, the shorter; of none, the second
    if its tokens are likelier by a margin. Never none of the words, unless the first reading was a loop.
    """
    if first.silent or (first.loops and not second.tokens):
        return second
    if not second.tokens:
        return first
    if first.loops or second.loops:
        return min(first, second, key=lambda reading: (reading.loops, reading.ratio))
    return second if second.logprob > first.logprob + BETTER_BY else first


def invented(first: WindowReading, second: WindowReading) -> bool:
    """Whether the second reading is a loop that was not said.

    A phrase that was really repeated is in both readings, and the second one is sure of it.
    """
    if not second.loops:
        return False
    alike = SequenceMatcher(None, first.phrase, second.phrase, autojunk=False).ratio() >= ALIKE
    return second.logprob < SURE_LOGPROB or not alike


def cut(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The halves of a window's features (mel bands, frames), each padded like the window."""
    used = np.flatnonzero(features.any(axis=0))
    end = int(used[-1]) + 1 if len(used) else features.shape[1]
    first, last = int(end * FIRST_CUT), int(end * LAST_CUT) + 1
    loudness = np.convolve(features.mean(axis=0), np.ones(QUIET_FRAMES) / QUIET_FRAMES, mode="same")
    middle = first + int(loudness[first:last].argmin())
    left, right = np.zeros_like(features), np.zeros_like(features)
    left[:, :middle] = features[:, :middle]
    right[:, : end - middle] = features[:, middle:end]
    return left, right
