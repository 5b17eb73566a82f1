"""Talks: hours of one speaker, whose every word is known, to measure search and the cut of passages by.

The recordings that come with packages are two minutes long and hold hardly anything that a long passage could join. So
chapters of Python's language reference, which every Python has at hand (`pydoc_data.topics`), are taken as read aloud: their
paragraphs of prose, without tables, code and grammar, at an even pace. It is text with times: nothing was ever misheard in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pydoc_data.topics import topics

import pandas as pd

WORDS_PER_S = 2.5  # 150 words a minute: what audiobooks are read at
SHORTEST = 8  # words of a paragraph; shorter ones are headings and labels
READER = "reader"

_MARKUP = re.compile(r'["*“”‘`|]')
_PROSE = re.compile(r"[A-Z].*[.:]")


@dataclass(frozen=True)
class Talk:
    """A chapter, and its words: start_s, end_s, text, as table `words` has them."""

    title: str
    words: pd.DataFrame


def talks() -> list[Talk]:
    """All chapters that have prose of their own: 25,000 words, nearly three hours. No paragraph is read twice."""
    read: set[str] = set()
    found = []
    for title, chapter in topics.items():
        new = [paragraph for paragraph in dict.fromkeys(paragraphs(chapter)) if paragraph not in read]
        read.update(new)
        if new:
            found.append(Talk(title, spoken(" ".join(new))))
    return found


def paragraphs(chapter: str) -> Iterator[str]:
    """Its prose: what stands at the margin, begins with a capital letter and ends as sentences do; without markup."""
    for block in re.split(r"\n\s*\n", chapter):
        text = " ".join(_MARKUP.sub("", block).split())
        if not block.startswith(" ") and _PROSE.fullmatch(text) and len(text.split()) >= SHORTEST:
            yield text


def spoken(text: str) -> pd.DataFrame:
    """The words of a text, evenly paced, each with the space in front of it."""
    words = text.split()
    starts = [index / WORDS_PER_S for index in range(len(words))]
    return pd.DataFrame(
        {"start_s": starts, "end_s": [start + 1 / WORDS_PER_S for start in starts], "text": [f" {word}" for word in words]}
    )
