"""Talks: hours of one speaker whose every word is known, on which search and the length of passages are measured.

The recordings in packages last two minutes, too short for long passages. So chapters of Python's language reference, which
come with every Python (`pydoc_data.topics`), are treated as if read aloud: their paragraphs of prose, without tables, code and
grammar, at an even pace. There is no audio, and so there are no recognition errors. The chapters differ a little from one
version of Python to the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pydoc_data.topics import topics

import pandas as pd

WORDS_PER_S = 2.5  # 150 words a minute, the pace of audiobooks
SHORTEST = 8  # words of a paragraph; shorter ones are headings and labels
READER = "reader"

_MARKUP = re.compile(r'["*“”‘`|]')
_PROSE = re.compile(r"[A-Z].*[.:]")


@dataclass(frozen=True)
class Talk:
    """A chapter and its words (start_s, end_s, text, as in table `words`)."""

    title: str
    words: pd.DataFrame


def talks() -> list[Talk]:
    """All chapters with prose of their own: 25,000 words, nearly three hours. No paragraph occurs twice."""
    read: set[str] = set()
    chapters = []
    for title, chapter in topics.items():
        new = [paragraph for paragraph in dict.fromkeys(paragraphs(chapter)) if paragraph not in read]
        read.update(new)
        if new:
            chapters.append(Talk(title, spoken(" ".join(new))))
    return chapters


def paragraphs(chapter: str) -> Iterator[str]:
    """The chapter's prose: unindented paragraphs from a capital letter to a full stop or colon, without markup."""
    for block in re.split(r"\n\s*\n", chapter):
        text = " ".join(_MARKUP.sub("", block).split())
        if not block.startswith(" ") and _PROSE.fullmatch(text) and len(text.split()) >= SHORTEST:
            yield text


def spoken(text: str) -> pd.DataFrame:
    """The words of a text, evenly paced, each with its leading space."""
    words = text.split()
    starts = [index / WORDS_PER_S for index in range(len(words))]
    return pd.DataFrame(
        {"start_s": starts, "end_s": [start + 1 / WORDS_PER_S for start in starts], "text": [f" {word}" for word in words]}
    )
