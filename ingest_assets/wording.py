"""Wording: how many of something, what is left out, lists of numbers, and names, as messages and lines of text have them."""

import re
from collections.abc import Iterable

NUMBERS_TOLD = 6

_NOT_ON_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def counted(count: int, noun: str) -> str:
    """1 video; 3 videos."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def left_out_undated(count: int) -> str:
    """What a filter by days says of the videos that it leaves out since their date is not known; "" where there are none."""
    return f"Left out because their date is not known: {counted(count, 'video')}." if count else ""


def numbered(numbers: Iterable[int]) -> str:
    """3 and 7; 3, 7 and 9; of many the first."""
    told = [str(number) for number in sorted(numbers)]
    if len(told) > NUMBERS_TOLD:
        told = [*told[: NUMBERS_TOLD - 1], f"{len(told) - NUMBERS_TOLD + 1} more"]
    return " and ".join([", ".join(told[:-1]), told[-1]] if told[1:] else told)


def one_line(text: str) -> str:
    """The text with each run of white space, line breaks and control characters as one space."""
    return _NOT_ON_A_LINE.sub(" ", text).strip()
