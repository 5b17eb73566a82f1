"""Which speaker each word is given to."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.words import NEAR_S, attribute_words

Turn = tuple[float, float, str]
Word = tuple[float, float]

QUARTER_S = 0.25  # exact in binary, so that the reference decides ties as the code does


def words_frame(*spans: Word) -> pd.DataFrame:
    return pd.DataFrame(list(spans), columns=["start_s", "end_s"])


def turns_frame(*turns: Turn) -> pd.DataFrame:
    return pd.DataFrame(list(turns), columns=["start_s", "end_s", "local_speaker"])


def test_a_word_belongs_to_the_turn_its_middle_lies_in() -> None:
    turns = turns_frame((0.0, 2.0, "A"), (2.0, 4.0, "B"))
    assert attribute_words(words_frame((0.5, 1.0), (1.5, 2.25), (1.75, 3.0)), turns) == ["A", "A", "B"]


def test_a_word_on_the_border_of_two_turns_belongs_to_the_later() -> None:
    assert attribute_words(words_frame((1.5, 2.5)), turns_frame((0.0, 2.0, "A"), (2.0, 4.0, "B"))) == ["B"]


def test_a_word_between_turns_goes_to_the_nearer() -> None:
    turns = turns_frame((0.0, 1.0, "A"), (2.5, 4.0, "B"))
    assert attribute_words(words_frame((1.25, 1.25), (2.0, 2.25)), turns) == ["A", "B"]


def test_a_word_halfway_between_turns_goes_to_the_one_before() -> None:
    assert attribute_words(words_frame((1.5, 1.5)), turns_frame((0.0, 1.0, "A"), (2.0, 3.0, "B"))) == ["A"]


def test_a_word_before_the_first_turn_or_after_the_last_goes_to_it() -> None:
    turns = turns_frame((1.0, 2.0, "A"), (3.0, 4.0, "B"))
    assert attribute_words(words_frame((0.25, 0.75), (4.25, 4.5)), turns) == ["A", "B"]


def test_a_word_goes_to_a_turn_exactly_near_s_away_and_not_to_one_further_off() -> None:
    turns = turns_frame((0.0, 1.0, "A"))
    near, beyond = 1.0 + NEAR_S, 1.0 + NEAR_S + QUARTER_S
    assert attribute_words(words_frame((near, near), (beyond, beyond)), turns) == ["A", None]


def test_without_turns_every_speaker_is_unknown() -> None:
    assert attribute_words(words_frame((0.0, 1.0), (1.0, 2.0)), turns_frame()) == [None, None]


def test_no_words_have_no_speakers() -> None:
    assert attribute_words(words_frame(), turns_frame((0.0, 1.0, "A"))) == []
    assert attribute_words(words_frame(), turns_frame()) == []


@st.composite
def turn_lists(draw: st.DrawFn) -> list[Turn]:
    """Turns in order of time that do not overlap, some of them touching."""
    found: list[Turn] = []
    clock = 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), max_size=6)):
        start = clock + gap
        clock = start + length
        found.append((start * QUARTER_S, clock * QUARTER_S, draw(st.sampled_from("ABC"))))
    return found


WORDS = st.lists(
    st.tuples(st.integers(0, 150), st.integers(0, 8)).map(
        lambda word: (word[0] * QUARTER_S, (word[0] + word[1]) * QUARTER_S),
    ),
    max_size=8,
)


def speaker_by_hand(word: Word, turns: list[Turn]) -> str | None:
    """The same rule, by looking at every turn."""
    middle = (word[0] + word[1]) / 2
    inside = [speaker for start, end, speaker in turns if start <= middle < end]
    if inside:
        return inside[0]
    distance, _, speaker = min(
        ((max(start - middle, middle - end), index, speaker) for index, (start, end, speaker) in enumerate(turns)),
        default=(NEAR_S + 1.0, 0, None),
    )
    return speaker if distance <= NEAR_S else None


@settings(deadline=None)
@given(WORDS, turn_lists())
def test_attribution_agrees_with_looking_at_every_turn(words: list[Word], turns: list[Turn]) -> None:
    expected = [speaker_by_hand(word, turns) for word in words]
    assert attribute_words(words_frame(*words), turns_frame(*turns)) == expected
