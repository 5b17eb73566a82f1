"""Hints: what a user knows of a recording before it is heard: words, a prompt, the languages, the number of speakers.

A source has hints in sources.yaml, a video its own (earshot/storage/catalog/video_hints.py). `Hints` are normalized and
bounded, whatever their content, so that they can be compared and stored. Which words fit into whisper's prompt is not decided
here.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from earshot.common.text import one_line
from earshot.config.mistakes import quoted
from earshot.config.source_options import LANGUAGES, suggest_language

# Whisper's prompt takes 223 tokens, about 900 characters of English and fewer of other scripts: more would never be used.
MOST_CHARACTERS = 1000
MOST_SPEAKERS = 100
# Where words can be taken from, the most useful first: words that were corrected, names of people, words of the title.
PLACES = ("corrections", "people", "title")

ANY = "any"  # speakers or languages: no hint, though the source has one
NONE = "none"  # places: none, though the source has some
SPEAKERS = f"a number such as 2, a range such as 2-4, 2+ for two or more, from 1 to {MOST_SPEAKERS}, or {ANY}."
VOCABULARY = "words and names, separated by commas or as a list."
PLACE_LIST = f"some of {', '.join(PLACES)}, separated by commas or as a list, or {NONE}."
PROMPT = "a text such as an earlier transcript would have it."
LANGUAGE_LIST = f"whisper's codes, separated by commas or as a list, or {ANY}: {' '.join(sorted(LANGUAGES))}."

ANY_NUMBER: tuple[int, int | None] = (1, None)  # of speakers: the least and the most

_RANGE = re.compile(r"(\d{1,3})(?:(\+)|\s*-\s*(\d{1,3}))?", re.ASCII)


@dataclass(frozen=True)
class Hints:
    """Hints by key. None: nothing is said, so that those of the source apply; an empty value: none, whatever the source says.

    `vocabulary_from` has some of PLACES, whose words are added to the vocabulary; `speakers` is `2`, `2-4` or `2+`.
    """

    vocabulary: tuple[str, ...] | None = None
    vocabulary_from: tuple[str, ...] | None = None
    prompt: str | None = None
    languages: tuple[str, ...] | None = None
    speakers: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The keys that are said, as JSON has them."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items() if value is not None
        }

    def over(self, general: "Hints") -> "Hints":
        """These hints where they say something, else the more general ones."""
        return Hints.of({**general.given, **self.given})

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Hints":
        """The inverse of `given`."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return cls(**fields)


HINT_KEYS = tuple(Hints.__dataclass_fields__)


def parse_vocabulary(words: str | Iterable[str]) -> tuple[str, ...]:
    """The words, the first of each spelling, as many as have MOST_CHARACTERS together. A text is split at its commas."""
    parts = words.split(",") if isinstance(words, str) else (part for word in words for part in word.split(","))
    chosen: dict[str, None] = {}
    room = MOST_CHARACTERS
    for word in map(_clean, parts):
        if word and word not in chosen:
            room -= len(word)
            if room < 0:
                break
            chosen[word] = None
    return tuple(chosen)


def parse_prompt(text: str) -> str:
    """The text on one line, its first MOST_CHARACTERS."""
    return _clean(text)[:MOST_CHARACTERS].strip()


def parse_languages(codes: str | Iterable[str]) -> tuple[str, ...]:
    """Whisper's codes, sorted; () for `any`. Raises ValueError with a message for an unknown one."""
    named = _split(codes)
    if [code.lower() for code in named] == [ANY]:
        return ()
    if not named:
        raise ValueError("languages is empty.", f"Allowed: {LANGUAGE_LIST}")
    for code in named:
        if code.lower() not in LANGUAGES:
            near = suggest_language(code)
            raise ValueError(f"languages has {quoted(code)}.", f"Did you mean {near}?" if near else f"Allowed: {LANGUAGE_LIST}")
    return tuple(sorted({code.lower() for code in named}))


def parse_places(names: str | Iterable[str]) -> tuple[str, ...]:
    """The places in the order of PLACES; () for `none`. Raises ValueError for an unknown one."""
    named = [name.lower() for name in _split(names)]
    if not named or (named != [NONE] and not set(named) <= set(PLACES)):
        raise ValueError(names)
    return tuple(place for place in PLACES if place in named)


def parse_speakers(text: str) -> str:
    """The number or range in its one spelling; "" for `any`. Raises ValueError if it is invalid."""
    text = text.strip()
    if text.lower() == ANY:
        return ""
    match = _RANGE.fullmatch(text)
    if not match:
        raise ValueError(text)
    least, most = int(match[1]), None if match[2] else int(match[3] or match[1])
    if not 1 <= least <= (MOST_SPEAKERS if most is None else most) <= MOST_SPEAKERS:
        raise ValueError(text)
    return f"{least}+" if most is None else str(least) if least == most else f"{least}-{most}"


def speaker_bounds(speakers: str) -> tuple[int, int | None]:
    """The least and the most speakers of `Hints.speakers`, of any number if it is empty; None: no limit."""
    if not speakers:
        return ANY_NUMBER
    least, _, most = speakers.partition("-")
    return (int(least[:-1]), None) if least.endswith("+") else (int(least), int(most or least))


def _split(names: str | Iterable[str]) -> list[str]:
    return [name.strip() for name in (names.split(",") if isinstance(names, str) else names) if name.strip()]


def _clean(text: str) -> str:
    """The text on one line, without surrogates, which no database stores."""
    return one_line("".join(character for character in text if unicodedata.category(character) != "Cs"))
