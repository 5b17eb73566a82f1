"""The longest run of a phrase."""

import pytest

from earshot.models.speech.loops import bare_words, longest_loop


@pytest.mark.parametrize(
    ("words", "loop"),
    [
        ("a b c", (0, 0, 0)),
        ("no no no no", (0, 1, 4)),
        ("so it was it was it was it was then", (1, 2, 4)),
        ("a b a b a b c c", (0, 2, 3)),
        ("", (0, 0, 0)),
    ],
)
def test_longest_loop(words: str, loop: tuple[int, int, int]) -> None:
    assert longest_loop(words.split()) == loop


def test_case_and_punctuation_make_no_other_word() -> None:
    assert bare_words(["Thank", " you.", "thank", "You,", "..."]) == ["thank", "you", "thank", "you", ""]
