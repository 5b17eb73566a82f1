"""Words: which are the same, how they are aligned, and what each error counts as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.transcripts.evaluation.words import (
    SpeakerWordScore,
    Word,
    WordError,
    WordScore,
    align,
    comparable,
    cp_errors,
    list_errors,
    normalized,
    score_speakers,
    score_words,
    whole_words,
    word_errors,
)

TEXTS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=12)


def words(*said: str) -> list[Word]:
    """What speakers say, as "A: one two", a word a second."""
    spoken = [(who, text) for line in said for who, _, texts in [line.partition(": ")] for text in texts.split()]
    return comparable(Word(text, float(index), who or None) for index, (who, text) in enumerate(spoken))


# --- the same word -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Don't — STOP, “please”!", "dont stop please"),
        ("It cost $5 (12 %)…", "it cost 5 12"),
        ("well-known Straße", "wellknown strasse"),
        ("cafe\u0301", "caf\u00e9"),
        ("<i> -->", "i"),
        ("我们 去Texas。", "我 们 去 texas"),
        ("... - !", ""),
    ],
)
def test_case_punctuation_and_symbols_do_not_count(text: str, plain: str) -> None:
    assert normalized(text) == plain
    assert normalized(plain) == plain


def test_word_that_continues_another_is_joined_to_it() -> None:
    pieces = [
        Word(" well", 1.0, "A"),
        Word("-known", 1.5, "A"),
        Word(" Ben", 2.0, "B"),
        Word("我", 3.0, "B"),
        Word("们", 4.0, "B"),
    ]
    assert [(word.text, word.at_s) for word in whole_words(pieces)] == [
        (" well-known", 1.0), (" Ben", 2.0), ("我", 3.0), ("们", 4.0)
    ]  # fmt: skip


# --- word error rate -----------------------------------------------------------------------------------------------------


def test_each_error_has_its_kind_and_time() -> None:
    pairs = align(words(": one two three four"), words(": one too three extra words four"))
    assert score_words(pairs) == WordScore(words=4, substitutions=1, deletions=0, insertions=2)
    assert list(list_errors(pairs)) == [
        WordError("substitution", 1.0, "two", "too"), WordError("insertion", 3.0, "", "extra"),
        WordError("insertion", 4.0, "", "words"),
    ]  # fmt: skip


def test_deletion_is_at_the_reference_or_after_our_last_word() -> None:
    reference = words(": one two three")
    assert list(list_errors(align(reference, words(": one three")))) == [WordError("deletion", 1.0, "two", "")]
    untimed = [word._replace(at_s=None) for word in reference]
    ours = [Word("one", 7.0), Word("three", 9.0)]
    assert list(list_errors(align(untimed, ours))) == [WordError("deletion", 7.0, "two", "")]


@pytest.mark.parametrize(("reference", "ours", "errors"), [("", "", 0), ("one two", "", 2), ("", "one", 1), ("!", "one?", 1)])
def test_empty_texts_have_errors_but_maybe_no_rate(reference: str, ours: str, errors: int) -> None:
    assert word_errors(reference, ours) == errors
    score = score_words(align(words(f": {reference}"), words(f": {ours}")))
    assert score.errors == errors
    assert score.rate == (errors / score.words if score.words else None)


@given(TEXTS, TEXTS)
def test_alignment_keeps_every_word_in_order(reference: list[str], ours: list[str]) -> None:
    pairs = align([Word(text) for text in reference], [Word(text) for text in ours])
    assert [pair.reference.text for pair in pairs if pair.reference] == reference
    assert [pair.ours.text for pair in pairs if pair.ours] == ours
    score = score_words(pairs)
    assert score.words == len(reference)
    assert abs(len(reference) - len(ours)) <= score.errors <= max(len(reference), len(ours))
    assert word_errors(" ".join(reference), " ".join(ours)) == score.errors


# --- words with speakers -------------------------------------------------------------------------------------------------


def test_cp_errors_match_speakers_with_fewest_errors() -> None:
    reference = {"Ana": "One two three.", "Ben": "Four five"}
    assert cp_errors(reference, {"0": "four five", "1": "one two three"}) == 0
    assert cp_errors(reference, {"0": "four five three", "1": "one two"}) == 2
    assert cp_errors(reference, {"0": "one two three four five"}) == 4
    assert cp_errors(reference, {"0": "one two", "1": "four five", "2": "three"}) == 2
    assert cp_errors(reference, {}) == 5
    assert cp_errors({}, {}) == 0


def scored(reference: list[Word], ours: list[Word]) -> SpeakerWordScore:
    return score_speakers(reference, ours, align(reference, ours))


REFERENCE = words("Ana: one two three four", "Ben: five six")


def test_other_names_are_no_errors() -> None:
    assert scored(REFERENCE, words("voice 1: one two three four", "voice 2: five six")) == SpeakerWordScore(6, 0, 6, 0)


def test_swapped_word_is_two_errors_and_one_wrong_person() -> None:
    swapped = scored(REFERENCE, words("1: one two three", "2: four five six"))
    assert swapped == SpeakerWordScore(6, 2, 6, 1)
    assert (swapped.rate, swapped.wrong_share) == (pytest.approx(2 / 6), pytest.approx(1 / 6))


def test_missing_speaker_leaves_words_with_the_wrong_person() -> None:
    assert scored(REFERENCE, words("1: one two three four five six")) == SpeakerWordScore(6, 4, 6, 2)


def test_word_of_nobody_has_the_wrong_person() -> None:
    assert scored(REFERENCE, words("1: one two three four", ": five six")) == SpeakerWordScore(6, 0, 6, 2)


def test_sums_add_up() -> None:
    assert WordScore(4, 1, 0, 2) + WordScore(6, 0, 1, 0) == WordScore(10, 1, 1, 2)
    assert (WordScore(4, 1, 0, 2) + WordScore(6, 0, 1, 0)).rate == pytest.approx(0.4)
