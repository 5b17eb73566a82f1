"""Wording: how many of something, and lists of numbers, as messages say them."""

from collections.abc import Iterable

NUMBERS_TOLD = 6


def counted(count: int, noun: str) -> str:
    """1 video; 3 videos."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def numbered(numbers: Iterable[int]) -> str:
    """3 and 7; 3, 7 and 9; of many the first."""
    told = [str(number) for number in sorted(numbers)]
    if len(told) > NUMBERS_TOLD:
        told = [*told[: NUMBERS_TOLD - 1], f"{len(told) - NUMBERS_TOLD + 1} more"]
    return " and ".join([", ".join(told[:-1]), told[-1]] if told[1:] else told)
