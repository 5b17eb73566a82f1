"""Loops: phrases that follow themselves again and again, as they were said or because whisper was lost. Pure functions."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

LONGEST_PHRASE = 12  # words


class Loop(NamedTuple):
    """A run of one phrase: its first word, the phrase's length in words, and how often it is said in a row."""

    first: int
    length: int
    repeats: int


def bare_words(words: Iterable[object]) -> list[str]:
    """The words without case and punctuation; "" for one of punctuation alone."""
    return ["".join(filter(str.isalnum, str(word))).casefold() for word in words]


def longest_loop(words: Sequence[str]) -> Loop:
    """The run that covers most words; of length 0 if no phrase follows itself."""
    best = Loop(0, 0, 0)
    for length in range(1, min(LONGEST_PHRASE, len(words) // 2) + 1):
        same = [word == later for word, later in zip(words, words[length:], strict=False)]
        first = 0
        for equal, run in ((key, sum(1 for _ in group)) for key, group in groupby(same)):
            repeats = run // length + 1
            if equal and repeats > 1 and repeats * length > best.length * best.repeats:
                best = Loop(first, length, repeats)
            first += run
    return best
