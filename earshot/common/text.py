"""Wording for messages: counts, lists of numbers, and text on a single line."""

import re
from collections.abc import Iterable, Sequence

MAX_NUMBERS = 6

# Thai, Lao, Burmese, Khmer, Chinese, Japanese: scripts that separate words by nothing.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

# What XML 1.0 has no way to write.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
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


def join_first(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: the first names, and how many others there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")


def percent(share: float | None) -> str:
    """`12.3` for a share of 0.123; "" for None."""
    return "" if share is None else f"{100 * share:.1f}"


def one_line(text: str) -> str:
    """The text with each run of whitespace and control characters replaced by one space."""
    return _NOT_ON_A_LINE.sub(" ", text).strip()


def without_surrogates(text: str) -> str:
    """The text with `\ufffd` for each half of a character, such as stands for a byte of a file name that is not UTF-8.

    Neither Postgres nor a terminal takes these.
    """
    return _SURROGATE.sub("\ufffd", text)


def is_unicode(text: str) -> bool:
    """Whether the text has no half of a character, so that it can be stored."""
    return not _SURROGATE.search(text)


def in_xml(text: str) -> str:
    """The text with a space for each character that XML cannot have."""
    return _NOT_IN_XML.sub(" ", text)
