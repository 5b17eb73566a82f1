"""Wording for messages: counts, lists of numbers, and text on a single line."""

import re
from collections.abc import Iterable

MAX_NUMBERS = 6

_NOT_ON_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def pluralize(count: int, noun: str) -> str:
    """`1 video`, `3 videos`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def left_out_undated(count: int) -> str:
    """The note of a date filter about the videos it skips because their date is unknown; "" if there are none."""
    return f"Left out because their date is not known: {pluralize(count, 'video')}." if count else ""


def join_numbers(numbers: Iterable[int]) -> str:
    """`3 and 7`, `3, 7 and 9`; of many, only the first, and how many more."""
    items = [str(number) for number in sorted(numbers)]
    if len(items) > MAX_NUMBERS:
        items = [*items[: MAX_NUMBERS - 1], f"{len(items) - MAX_NUMBERS + 1} more"]
    return " and ".join([", ".join(items[:-1]), items[-1]] if items[1:] else items)


def one_line(text: str) -> str:
    """The text with each run of whitespace and control characters replaced by one space."""
    return _NOT_ON_A_LINE.sub(" ", text).strip()
