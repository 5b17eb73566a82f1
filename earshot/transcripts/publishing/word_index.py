"""The index of words of a static site: which passages have a word, cut into small scripts. Pure functions.

A browser loads a script for the first two letters of each word that is asked for, and one for each 500 passages that it shows.
They are scripts and not JSON, because a page that is opened from a disk may load scripts only. search.js does the searching,
and folds words in the same way.
"""

import json
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

PREFIX = 2  # letters
PASSAGES_PER_FILE = 500
COMMON = 0.25  # a word in a larger share of the passages finds nothing in particular, and is left out

_WORD = re.compile(r"\w+")


def fold(text: str) -> str:
    """The text without case and accents, as it is searched."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in spread if not unicodedata.combining(character))


def words_in(text: str) -> list[str]:
    return _WORD.findall(fold(text))


class WordIndex:
    """Collects the words of passages, which are numbered in the order in which they are added."""

    def __init__(self) -> None:
        self.passages = 0
        self._places: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))

    def add(self, text: str) -> None:
        for word in dict.fromkeys(words_in(text)):
            self._places[word].append(self.passages)
        self.passages += 1

    def scripts(self) -> Iterator[tuple[str, str]]:
        """File names and contents: each word with its passages, every number as the difference to the one before it.

        Common words have none.
        """
        by_prefix: defaultdict[str, list[str]] = defaultdict(list)
        for word in sorted(self._places):
            by_prefix[word[:PREFIX]].append(word)
        most = max(COMMON * self.passages, 50)
        for prefix, words in by_prefix.items():
            found = {word: _differences(self._places[word]) if len(self._places[word]) <= most else [] for word in words}
            yield file_of(prefix), script("words", prefix, found)


def file_of(prefix: str) -> str:
    """The name of a prefix's script, valid on any file system: `74-68.js` for `th`."""
    return "-".join(f"{ord(letter):x}" for letter in prefix) + ".js"


def script(kind: str, *content: object) -> str:
    """A call that hands the content to search.js."""
    return f"earshot.{kind}({', '.join(json.dumps(each, ensure_ascii=False, separators=(',', ':')) for each in content)});\n"


def _differences(numbers: Iterable[int]) -> list[int]:
    return [later - former for former, later in pairwise([0, *numbers])]
