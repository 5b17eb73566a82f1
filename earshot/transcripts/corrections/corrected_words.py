"""Corrected words: what corrections make of the words of a transcript. Pure functions over DataFrames.

A correction replaces the words whose middle lies in its span, by time, so it also holds for a new transcription. Corrections
are applied in the order of their numbers, each to what the earlier ones leave: where two overlap, the later one holds, and
without it the earlier one holds again.

The rows stay: no word's index or time changes. Words that a correction leaves as they were keep their rows; new words are laid
over the rows of those that they replace. A row then has several words, or none (text ""), which readers leave out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher

import numpy as np
import pandas as pd

# A word with the space before it. Chinese and Japanese, which have no spaces, are compared by characters.
_CHARACTER = "\u2e80-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"\s*([{_CHARACTER}]|[^\s{_CHARACTER}]+)")


@dataclass(frozen=True)
class WordCorrection:
    """The words from `start_s` to `end_s` are `text`; `heard` are those of the transcript when the correction was made."""

    number: int
    video_id: str
    start_s: float
    end_s: float
    text: str
    heard: str
    made_at: datetime


def correct_words(words: pd.DataFrame, corrections: Iterable[WordCorrection]) -> pd.DataFrame:
    """The words (start_s, end_s, text, probability) with the corrections applied, and `corrected`: whether a text changed.

    The probability of corrected words is 1.
    """
    heard: list[str] = words.text.tolist()
    texts = list(heard)
    for correction in sorted(corrections, key=lambda correction: correction.number):
        rows = rows_in(words, correction.start_s, correction.end_s).tolist()
        if rows:
            space = _leading_space(heard[rows[0]])
            for row, text in zip(rows, _lay([texts[row] for row in rows], correction.text, space), strict=True):
                texts[row] = text
    corrected = np.array([text != before for text, before in zip(texts, heard, strict=True)], dtype=bool)
    probability = words.probability.where(~corrected, 1.0)
    return words.assign(text=pd.Series(texts, dtype=object), probability=probability, corrected=corrected)


def rows_in(words: pd.DataFrame, start_s: float, end_s: float) -> np.ndarray:
    """The rows of the words with their middle in this span."""
    middles = _middles(words)
    return np.flatnonzero((middles >= start_s) & (middles <= end_s))


def text_of(words: pd.DataFrame, rows: np.ndarray) -> str:
    """The words in these rows as a text."""
    return "".join(words.text.iloc[rows]).strip()


def span_of(words: pd.DataFrame, rows: np.ndarray) -> tuple[float, float]:
    """A span for a correction of these rows: from their start to their end, without the middle of a word before or after, which
    a word without length has at its border."""
    middles, first, last = _middles(words), int(rows[0]), int(rows[-1])
    start_s, end_s = float(words.start_s.iloc[first]), float(words.end_s.iloc[last])
    if first > 0 and middles[first - 1] >= start_s:
        start_s = float(middles[first - 1] + middles[first]) / 2
    if last + 1 < len(words) and middles[last + 1] <= end_s:
        end_s = float(middles[last] + middles[last + 1]) / 2
    return start_s, max(start_s, end_s)


def _middles(words: pd.DataFrame) -> np.ndarray:
    return ((words.start_s + words.end_s) / 2).to_numpy(dtype=float)


def _leading_space(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _lay(texts: Sequence[str], text: str, space: str) -> list[str]:
    """The new text over the rows of these texts: joined, they are the text after this space."""
    heard = "".join(texts)
    row_of = [row for row, part in enumerate(texts) for _ in part]
    old, new = list(_WORD.finditer(heard)), list(_WORD.finditer(space + text if text else ""))
    laid = [""] * len(texts)
    compared = SequenceMatcher(None, [word[0] for word in old], [word[0] for word in new], autojunk=False)
    for kind, start, end, new_start, new_end in compared.get_opcodes():
        if kind == "equal":
            for at in range(old[start].start(), old[end - 1].end()):
                laid[row_of[at]] += heard[at]
            continue
        rows = [row_of[word.start(1)] for word in old[start:end]]
        if not rows:  # inserted: into the row of the word before, or before the first word
            rows = [row_of[old[start - 1].end() - 1] if start else row_of[old[0].start(1)] if old else 0]
        added = new[new_start:new_end]
        for index, word in enumerate(added):
            laid[rows[index * len(rows) // len(added)]] += word[0]
    return laid
