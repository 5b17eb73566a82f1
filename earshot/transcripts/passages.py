"""Passages: joins words into stretches of one speaker's speech, cut at sentence ends. Pure functions over DataFrames.

The speaker of a word is the one it is displayed with (`sentence_speakers()` of attribution/word_speakers.py), so a short
back-channel stays inside the passage that it interrupts.

Words become sentences (ending at `.?!` and the like, at a change of speaker, or at a long pause). Sentences of one speaker are
joined while they fit the limits in seconds and in `weight`, which is tokens for embedding (the text model's window). A single
sentence beyond the limits is cut between words. Every word is in exactly one passage; no passage is empty or of length zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from earshot.transcripts.attribution.word_speakers import PAUSE_S, ends_sentence

PASSAGE_S = 20.0  # at most: long enough to answer a question, short enough that a hit points at the right sentence
MIN_PASSAGE_S = 0.01  # whisper's alignment sometimes gives a word zero length

PASSAGE_COLUMNS = ["passage_index", "start_s", "end_s", "local_speaker", "first_word", "last_word", "text"]


@dataclass(frozen=True)
class Limits:
    """The maximum size of a passage. A single word beyond it is a passage of its own."""

    seconds: float
    weight: int


@dataclass(frozen=True)
class _Stretch:
    """The words from first to last (inclusive), all of one speaker."""

    first: int
    last: int
    start_s: float
    end_s: float
    weight: int
    speaker: str | None

    def followed_by(self, following: "_Stretch") -> "_Stretch":
        end_s, weight = max(self.end_s, following.end_s), self.weight + following.weight
        return _Stretch(self.first, following.last, self.start_s, end_s, weight, self.speaker)

    def fits(self, limits: Limits) -> bool:
        return self.end_s - self.start_s <= limits.seconds and self.weight <= limits.weight


def cut_passages(words: pd.DataFrame, speakers: Sequence[str | None], weights: Sequence[int], limits: Limits) -> pd.DataFrame:
    """The passages (PASSAGE_COLUMNS) of words (start_s, end_s, text) in order; `speakers` and `weights` are per word."""
    texts = words.text.tolist()
    single = [
        _Stretch(i, i, start, max(end, start + MIN_PASSAGE_S), weight, speaker)
        for i, (start, end, weight, speaker) in enumerate(
            zip(words.start_s.tolist(), words.end_s.tolist(), weights, speakers, strict=True)
        )
    ]
    sentences = _join(single, limits, lambda last: ends_sentence(texts[last]))
    passages = _join(sentences, limits, lambda _last: False)
    rows = [
        (index, p.start_s, p.end_s, p.speaker, p.first, p.last, "".join(texts[p.first : p.last + 1]).strip())
        for index, p in enumerate(passages)
    ]
    frame = pd.DataFrame(rows, columns=PASSAGE_COLUMNS)
    # dtype object: pandas' string columns would turn an unknown speaker's None into NaN.
    return frame.assign(local_speaker=pd.Series([p.speaker for p in passages], dtype=object))


def _join(stretches: Sequence[_Stretch], limits: Limits, ends: Callable[[int], bool]) -> list[_Stretch]:
    """Join neighbours of one speaker until `ends` holds for the last word, a pause follows, or the limits are reached."""
    joined: list[_Stretch] = []
    for stretch in stretches:
        if joined and _belongs(joined[-1], stretch) and not ends(joined[-1].last):
            longer = joined[-1].followed_by(stretch)
            if longer.fits(limits):
                joined[-1] = longer
                continue
        joined.append(stretch)
    return joined


def _belongs(before: _Stretch, after: _Stretch) -> bool:
    return before.speaker == after.speaker and after.start_s - before.end_s <= PAUSE_S
