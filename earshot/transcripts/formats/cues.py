"""Cues: which words of a recording stand on the screen together. Pure functions; how they are written is subtitles.py.

A cue has words of one speaker, at most two lines of 42 characters, and 7 s. Sentences (ending at `.?!` and the like, at a
change of speaker, or at a long pause) are joined while they fit. One that does not fit is cut into as few cues as it takes, as
even as they can be, so that its last word does not stand alone. A word that does not fit has a cue of its own.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pandas as pd

from earshot.transcripts.word_speakers import PAUSE_S, ends_sentence

# Subtitling's common limits (e.g. the BBC's and Netflix's guidelines): two lines of 42 characters, 7 s on screen.
MAX_LINE_LENGTH = 42
MAX_CUE_S = 7.0


def cut_cues(words: pd.DataFrame, shown: Sequence[str], names: Sequence[int]) -> list[range]:
    """The words (start_s, end_s, text) of each cue, in order, every word in one of them.

    `shown` is who says each word, as it is shown; `names` how many characters stand before it to say so, 0 where none do.
    """
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    screen = _Screen(texts, starts, ends, names)
    # Whether a word may stand in the cue of the one before it.
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
    """The sentence, or as few parts of it as fit; of these ways the one with the least sum of their widths' squares."""
    if screen.fits(sentence.start, sentence.stop - 1):
        return [sentence]
    best: dict[int, tuple[int, int, int]] = {sentence.start: (0, 0, sentence.start)}  # by end: parts, squares, the last's start
    for last in sentence:
        ways = []
        for first in range(last, sentence.start - 1, -1):
            if not screen.fits(first, last):
                break
            ways.append((best[first][0] + 1, best[first][1] + screen.width(first, last) ** 2, first))
        best[last + 1] = min(ways)
    parts, stop = [], sentence.stop
    while stop > sentence.start:
        parts.append(range(best[stop][2], stop))
        stop = best[stop][2]
    return parts[::-1]


class _Screen:
    """Whether words fit a cue, by where their letters begin and end in the text of all; lines break at white space only."""

    def __init__(self, texts: Sequence[str], starts: Sequence[float], ends: Sequence[float], names: Sequence[int]) -> None:
        self.starts, self.ends, self.names = starts, ends, names
        after = list(accumulate(map(len, texts)))
        self.first_letter = [end - len(text.lstrip()) for end, text in zip(after, texts, strict=True)]
        self.last_letter = [end - len(text) + len(text.rstrip()) for end, text in zip(after, texts, strict=True)]
        # For each word the last one, itself or before it, that has white space behind it; -1 where there is none.
        spaced = [self.last_letter[index] < self.first_letter[index + 1] for index in range(len(texts) - 1)]
        broken = [index if space else -1 for index, space in enumerate([*spaced, True][: len(texts)])]
        self.last_break = list(accumulate(broken, max))

    def width(self, first: int, last: int) -> int:
        """Characters from the first word to the last, both included."""
        return self.last_letter[last] - self.first_letter[first]

    def fits(self, first: int, last: int) -> bool:
        """Whether these words, both included, fit a cue; one word always has its own."""
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
