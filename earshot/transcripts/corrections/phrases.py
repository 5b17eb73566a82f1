"""Phrases: finds words in a transcript as users write them, to replace them. Pure functions over DataFrames.

Case, punctuation and spaces between the words do not count; punctuation around them stays.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Phrase:
    """Where a phrase is said: the rows of its words, and the text of these rows with the phrase replaced."""

    rows: range
    start_s: float
    replaced: str


def find_phrases(words: pd.DataFrame, phrase: str, replacement: str) -> list[Phrase]:
    """Where the phrase is said among these words (start_s, text), in order; [] for a phrase without letters or digits."""
    pattern = _pattern(phrase, deleting=not replacement)
    if pattern is None:
        return []
    texts: list[str] = words.text.tolist()
    begins, text = np.cumsum([0, *map(len, texts)]), "".join(texts)
    found = []
    for match in pattern.finditer(text):
        first, last = (int(np.searchsorted(begins, at, side="right")) - 1 for at in (match.start(), match.end() - 1))
        before, after = text[begins[first] : match.start()], text[match.end() : begins[last + 1]]
        replaced = f"{before}{replacement}{after}".strip()
        found.append(Phrase(range(first, last + 1), float(words.start_s.iloc[first]), replaced))
    return found


def _pattern(phrase: str, deleting: bool) -> re.Pattern[str] | None:
    """The pattern of the phrase; of one to delete, with the punctuation after it."""
    parts: Sequence[str] = re.findall(r"\w+", phrase)
    after = r"[^\w\s]*" if deleting else ""
    said = r"[^\w]+".join(map(re.escape, parts))
    return re.compile(rf"(?<!\w){said}(?!\w){after}", re.IGNORECASE) if parts else None
