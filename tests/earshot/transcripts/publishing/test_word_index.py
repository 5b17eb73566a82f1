"""The index of words of a static site, read as its script reads it."""

import json
import re

import pytest

from earshot.transcripts.publishing.word_index import WordIndex, file_of, fold, words_in


def read(index: WordIndex) -> dict[str, list[int]]:
    """The passages of each word."""
    found: dict[str, list[int]] = {}
    for name, text in index.scripts():
        match = re.fullmatch(r'earshot\.words\("(.*?)", (\{.*\})\);\n', text)
        assert match is not None
        assert name == file_of(match[1])
        for word, steps in json.loads(match[2]).items():
            found[word] = [sum(steps[: at + 1]) for at in range(len(steps))]
    return found


def index_of(*texts: str) -> WordIndex:
    index = WordIndex()
    for text in texts:
        index.add(text)
    return index


def test_index_has_the_passages_of_each_word() -> None:
    found = read(index_of("the bridge, the Bridge", "a loan", "The bridge!"))
    assert found == {"the": [0, 2], "bridge": [0, 2], "a": [1], "loan": [1]}


def test_common_word_has_no_passages() -> None:
    found = read(index_of(*["the bridge"] * 60, *[f"the word{number}" for number in range(240)]))
    assert found["the"] == []
    assert len(found["bridge"]) == 60


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Müller’s Straße", ["muller", "s", "strasse"]),
        ("ÉCOLE", ["ecole"]),
        ("橋を 渡る", ["橋を", "渡る"]),
        ("…", []),
        ("3.5", ["3", "5"]),
    ],
)
def test_words_are_folded(text: str, words: list[str]) -> None:
    assert words_in(text) == words


def test_names_of_files_are_plain() -> None:
    assert [file_of(word[:2]) for word in ("th", "橋", fold("É"))] == ["74-68.js", "6a4b.js", "65.js"]
