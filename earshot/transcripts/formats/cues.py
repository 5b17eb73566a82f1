"""Cues: decides which words are on screen together. Pure functions; subtitles.py writes the cues.

A cue has words of one speaker, at most two lines of 42 characters, and lasts at most 7 s. Sentences (ending at `.?!` and the
like, at a change of speaker, or at a long pause) are joined while they fit. A longer sentence is split into as few cues as
possible, of similar width, so that its last word is not left alone. A word that does not fit has a cue of its own.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pandas as pd

from earshot.transcripts.attribution.word_speakers import PAUSE_S, ends_sentence

# Subtitling's common limits (e.g. the BBC's and Netflix's guidelines): two lines of 42 characters, 7 s on screen.
MAX_LINE_LENGTH = 42
MAX_CUE_S = 7.0


def cut_cues(words: pd.DataFrame, shown: Sequence[str], names: Sequence[int]) -> list[range]:
    """Each cue's range of words (start_s, end_s, text), in order; every word is in exactly one cue.

    `shown` is each word's displayed speaker; `names` is the length of the name printed before each word, 0 for none.
    """
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    screen = _Screen(texts, starts, ends, names)
    # Whether a word may share a cue with the previous one.
    goes_on = [
        index > 0 and shown[index] == shown[index - 1] and starts[index] - ends[index - 1] <= PAUSE_S
        for index in range(len(texts))
    ]
    begins = [index for index in range(len(texts)) if not goes_on[index] or ends_sentence(texts[index - 1])]
    sentences = [range(first, after) for first, after in pairwise([*begins, len(texts)])]
    cues: list[range] = []
    for part in (part for sentence in sentences for part in _parts(sentence, screen)):
        if cues and goes_on[part.start] and screen.fits(cues[-1].start, part.stop - 1):
            cues[-1] = range(cues[-1].start, part.stop)
        else:
            cues.append(part)
    return cues


def _parts(sentence: range, screen: "_Screen") -> list[range]:
    """The sentence, split into the fewest parts that fit; among those splits, the one with the least sum of squared widths."""
    if screen.fits(sentence.start, sentence.stop - 1):
        return [sentence]
    best = {sentence.start: (0, 0, sentence.start)}  # by end: number of parts, sum of squares, start of the last part
    for last in sentence:
        splits = []
        for first in range(last, sentence.start - 1, -1):
            if not screen.fits(first, last):
                break
            splits.append((best[first][0] + 1, best[first][1] + screen.width(first, last) ** 2, first))
        best[last + 1] = min(splits)
    parts, stop = [], sentence.stop
    while stop > sentence.start:
        parts.append(range(best[stop][2], stop))
        stop = best[stop][2]
    return parts[::-1]


class _Screen:
    """Decides whether words fit a cue, by the positions of their letters in the whole text; lines break only at whitespace."""

    def __init__(self, texts: Sequence[str], starts: Sequence[float], ends: Sequence[float], names: Sequence[int]) -> None:
        self.starts, self.ends, self.names = starts, ends, names
        after = list(accumulate(map(len, texts)))
        self.first_letter = [end - len(text.lstrip()) for end, text in zip(after, texts, strict=True)]
        self.last_letter = [end - len(text) + len(text.rstrip()) for end, text in zip(after, texts, strict=True)]
        # For each word the last one, up to itself, that is followed by whitespace; -1 for none.
        spaced = [self.last_letter[index] < self.first_letter[index + 1] for index in range(len(texts) - 1)]
        broken = [index if space else -1 for index, space in enumerate([*spaced, True][: len(texts)])]
        self.last_break = list(accumulate(broken, max))

    def width(self, first: int, last: int) -> int:
        """Characters from the first word to the last, inclusive."""
        return self.last_letter[last] - self.first_letter[first]

    def fits(self, first: int, last: int) -> bool:
        """Whether the words from first to last, inclusive, fit a cue; a single word always does."""
        if first == last:
            return True
        if (
            self.width(first, last) > 2 * MAX_LINE_LENGTH + 1
            or max(self.ends[first : last + 1]) - self.starts[first] > MAX_CUE_S
        ):
            return False
        room = self.first_letter[first] + MAX_LINE_LENGTH - self.names[first]
        on_first_line = bisect_right(self.last_letter, room, first, last + 1) - 1
        if on_first_line == last:
            return True
        second = self.last_break[on_first_line] + 1 if on_first_line >= first else first
        if second <= first and not self.names[first]:
            return False
        return self.width(max(second, first), last) <= MAX_LINE_LENGTH
