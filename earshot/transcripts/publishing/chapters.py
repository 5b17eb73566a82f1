"""Chapters: where a recording turns to another subject, found by its passages' vectors. Pure functions.

TextTiling (Hearst 1997, "TextTiling: Segmenting Text into Multi-paragraph Subtopic Passages"), with vectors of the text model
instead of counted words: a boundary is where the passages before and after it are less alike than on both sides of it. A
chapter's title is the beginning of the passage that is nearest to all of it; no language model writes titles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import shorten

import numpy as np

from earshot.transcripts.attribution.word_speakers import ends_sentence

BLOCK = 6  # passages on each side that are compared: about two minutes
MIN_CHAPTER_S = 180.0
TITLE_LENGTH = 70


@dataclass(frozen=True)
class Chapter:
    """A part of a recording: where it starts, in seconds, and the beginning of its most telling passage."""

    start_s: float
    title: str


def find_chapters(starts_s: Sequence[float], texts: Sequence[str], vectors: np.ndarray, duration_s: float) -> list[Chapter]:
    """The chapters of passages in order of time, whose vectors (passages, dimensions) have unit length.

    At least two, the first at 0; none if the recording stays with one subject, or is too short for two of `MIN_CHAPTER_S`.
    """
    cuts = _cuts(np.asarray(starts_s, dtype=float), vectors, duration_s)
    if not cuts:
        return []
    edges = [0, *cuts, len(texts)]
    parts = [range(first, end) for first, end in pairwise(edges)]
    return [
        Chapter(
            starts_s[part.start] if part.start else 0.0, _title([texts[at] for at in part], vectors[part.start : part.stop])
        )
        for part in parts
    ]


def _cuts(starts_s: np.ndarray, vectors: np.ndarray, duration_s: float) -> list[int]:
    """The passages with which chapters begin, without the first one."""
    depths = _depths(_similarities(vectors))
    if len(depths) == 0:
        return []
    least = depths.mean() + depths.std() / 2  # deeper than Hearst's mean - std / 2: fewer chapters, and fewer wrong ones
    kept: list[int] = []
    for at in (np.argsort(-depths, kind="stable") + 1).tolist():
        edges = [0.0, duration_s, *(starts_s[cut] for cut in kept)]
        if depths[at - 1] >= least and all(abs(starts_s[at] - edge) >= MIN_CHAPTER_S for edge in edges):
            kept.append(at)
    return sorted(kept)


def _similarities(vectors: np.ndarray) -> np.ndarray:
    """How alike the passages before and after each boundary are: the cosine of their means."""
    boundaries = range(1, len(vectors))
    before = np.array([vectors[max(0, at - BLOCK) : at].mean(axis=0) for at in boundaries])
    after = np.array([vectors[at : at + BLOCK].mean(axis=0) for at in boundaries])
    if len(before) == 0:
        return np.empty(0)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return (before * after).sum(axis=1) / np.maximum(lengths, 1e-9)


def _depths(similarities: np.ndarray) -> np.ndarray:
    """How far each similarity lies below the peaks to its left and to its right."""
    return np.array([
        _peak(similarities[at::-1]) + _peak(similarities[at:]) - 2 * here for at, here in enumerate(similarities)
    ])  # fmt: skip


def _peak(rising: np.ndarray) -> float:
    """The last value before the first that is lower than the one before it."""
    falls = np.flatnonzero(np.diff(rising) < 0)
    return float(rising[falls[0] if len(falls) else -1])


def _title(texts: Sequence[str], vectors: np.ndarray) -> str:
    nearest = int((vectors @ vectors.mean(axis=0)).argmax())
    return shorten(_first_sentence(texts[nearest]), TITLE_LENGTH, placeholder=" …") or texts[nearest][:TITLE_LENGTH]


def _first_sentence(text: str) -> str:
    words = text.split()
    end = next((at for at, word in enumerate(words) if at >= 3 and ends_sentence(word)), len(words))
    return " ".join(words[: end + 1])
