"""Passages: words joined into stretches of one speaker's speech, cut at sentence ends. Pure functions over DataFrames.

The speaker is the one under whom a word is shown (`sentence_speakers()` of earshot/transcripts/word_speakers.py), so that a
short back-channel lies inside the passage whose sentence it falls into.

Words become sentences (ending at `.?!` and the like, at a change of speaker, or at a long pause); sentences of one speaker
are joined while they fit the limits: seconds, and `weight`, which is tokens where passages are embedded (the text model's
window) and characters where they become subtitles. A single sentence beyond the limits is cut between words. Every word is
in exactly one passage; none is empty and none has length zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from earshot.transcripts.word_speakers import PAUSE_S, ends_sentence

MIN_PASSAGE_S = 0.01  # whisper's alignment sometimes gives a word no length

PASSAGE_COLUMNS = ["passage_index", "start_s", "end_s", "local_speaker", "first_word", "last_word", "text"]


@dataclass(frozen=True)
class Limits:
    """What one passage may hold. A single word beyond them stands alone."""

    seconds: float
    weight: int


@dataclass(frozen=True)
class _Stretch:
    """Words first to last (inclusive) of one speaker."""

    first: int
    last: int
    start_s: float
    end_s: float
    weight: int
    speaker: str | None

    def followed_by(self, other: "_Stretch") -> "_Stretch":
        return _Stretch(
            self.first, other.last, self.start_s, max(self.end_s, other.end_s), self.weight + other.weight, self.speaker
        )

    def fits(self, limits: Limits) -> bool:
        return self.end_s - self.start_s <= limits.seconds and self.weight <= limits.weight


def cut_passages(words: pd.DataFrame, speakers: Sequence[str | None], weights: Sequence[int], limits: Limits) -> pd.DataFrame:
    """Passages of words (start_s, end_s, text) in order, with whom each is shown under, and its weight; see PASSAGE_COLUMNS."""
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
    # As objects: pandas' string columns would turn the None of an unknown speaker into NaN.
    return frame.assign(local_speaker=pd.Series([p.speaker for p in passages], dtype=object))


def _join(stretches: Sequence[_Stretch], limits: Limits, ends: Callable[[int], bool]) -> list[_Stretch]:
    """Join neighbours of one speaker until one ends, a pause comes, or the limits are reached."""
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
