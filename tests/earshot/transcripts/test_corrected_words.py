"""What corrections make of the words of a transcript, without a database."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.transcripts.corrections.corrected_words import WordCorrection, correct_words, rows_in, span_of, text_of
from earshot.transcripts.corrections.passage_words import among_all, among_said
from earshot.transcripts.corrections.phrases import find_phrases

OFTEN = settings(max_examples=60, deadline=None)
HEARD = [" The", " Port", " Author", " ity", " paid."]


def words_of(texts: Sequence[str]) -> pd.DataFrame:
    """These words, a second each."""
    rows = [(float(index), index + 1.0, text, 0.5) for index, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["start_s", "end_s", "text", "probability"])


def correction(number: int, first: int, last: int, text: str) -> WordCorrection:
    """Of the words from first to last, as `words_of()` times them."""
    return WordCorrection(number, "v", first + 0.0, last + 1.0, text, "", datetime(2026, 1, 1, tzinfo=UTC))


def texts(heard: Sequence[str], *corrections: WordCorrection) -> list[str]:
    return correct_words(words_of(heard), corrections).text.tolist()


@pytest.mark.parametrize(
    ("first", "last", "text", "expected"),
    [
        (2, 2, "Authority", [" The", " Port", " Authority", " ity", " paid."]),
        (1, 3, "Port Authority", [" The", " Port", " Authority", "", " paid."]),
        (1, 3, "Port of New York Authority", [" The", " Port", " of New", " York Authority", " paid."]),
        (0, 4, "The Port Authority never paid.", [" The", " Port", " Authority", " never", " paid."]),
        (4, 4, "paid for it.", [" The", " Port", " Author", " ity", " paid for it."]),
        (0, 0, "And The", [" And The", " Port", " Author", " ity", " paid."]),
        (3, 3, "", [" The", " Port", " Author", "", " paid."]),
        (0, 4, "", ["", "", "", "", ""]),
    ],
)
def test_new_words_are_laid_over_the_rows_that_they_replace(first: int, last: int, text: str, expected: list[str]) -> None:
    assert texts(HEARD, correction(1, first, last, text)) == expected


def test_unchanged_words_keep_their_rows_and_probability() -> None:
    words = correct_words(words_of(HEARD), [correction(1, 0, 4, "The Harbour Author ity never paid.")])
    assert words.text.tolist() == [" The", " Harbour", " Author", " ity never", " paid."]
    assert words.corrected.tolist() == [False, True, False, True, False]
    assert words.probability.tolist() == [0.5, 1.0, 0.5, 1.0, 0.5]


def test_word_of_several_rows_is_one_word() -> None:
    assert texts([" A", " well", "-known", " man"], correction(1, 0, 3, "A well-known woman")) == [
        " A", " well", "-known", " woman",
    ]  # fmt: skip


def test_text_without_spaces_is_compared_by_characters() -> None:
    assert texts(["我们", "去", "东京", "。"], correction(1, 0, 3, "我们去京都。")) == ["我们", "去", "京都", "。"]


def test_later_correction_holds_where_two_overlap() -> None:
    older, newer = correction(1, 0, 2, "A Harbour Authority"), correction(2, 2, 3, "Board")
    assert texts(HEARD, newer, older) == [" A", " Harbour", " Board", "", " paid."]
    assert texts(HEARD, older) == [" A", " Harbour", " Authority", " ity", " paid."]
    assert texts(HEARD, newer) == [" The", " Port", " Board", "", " paid."]


def test_correction_holds_by_time() -> None:
    heard_anew = pd.DataFrame(
        [(0.0, 0.9, " The", 0.5), (1.1, 1.9, " Pour", 0.5), (2.2, 2.8, " Tauthority", 0.5), (4.1, 4.9, " paid", 0.5)],
        columns=["start_s", "end_s", "text", "probability"],
    )
    assert (
        text_of(correct_words(heard_anew, [correction(1, 1, 3, "Port Authority")]), np.arange(4)) == "The Port Authority paid"
    )


def test_correction_without_words_changes_nothing() -> None:
    assert texts(HEARD, correction(1, 60, 61, "later")) == HEARD
    assert texts([], correction(1, 0, 1, "later")) == []


@pytest.mark.parametrize(("row", "text"), [(0, "a"), (1, "b"), (2, "c")])
def test_span_of_a_word_leaves_out_neighbours_without_length(row: int, text: str) -> None:
    times = [(0.0, 1.0, " a", 0.5), (1.0, 1.0, " b", 0.5), (1.0, 2.0, " c", 0.5)]
    words = pd.DataFrame(times, columns=["start_s", "end_s", "text", "probability"])
    span = span_of(words, np.array([row]))
    assert text_of(words, rows_in(words, *span)) == text


WORDS = st.lists(st.sampled_from([" a", " b", " cd", "-e", " f.", "東", " g"]), min_size=1, max_size=12)
SPANS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.lists(st.sampled_from(["a", "b", "cd-e", "東京", "g,"]))))


@OFTEN
@given(WORDS, SPANS)
def test_span_has_exactly_the_last_correction_and_times_stay(heard: list[str], spans: list[tuple[int, int, list[str]]]) -> None:
    words = words_of(heard)
    corrections = [
        correction(number, min(first, last), max(first, last), " ".join(text))
        for number, (first, last, text) in enumerate(spans)
    ]
    for applied in range(len(corrections) + 1):
        corrected = correct_words(words, corrections[:applied])
        assert corrected[["start_s", "end_s"]].equals(words[["start_s", "end_s"]])
        if applied and (rows := rows_in(words, corrections[applied - 1].start_s, corrections[applied - 1].end_s)).size:
            assert text_of(corrected, rows) == corrections[applied - 1].text
    assert correct_words(words, []).text.tolist() == heard  # without its corrections, the transcript is as it was


@OFTEN
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
def test_words_of_passages_are_counted_both_ways(said: list[bool], data: st.DataObject) -> None:
    count = sum(said)
    ends = sorted(data.draw(st.sets(st.integers(1, count), max_size=count))) if count else []
    ends = sorted({*ends, count} - {0})
    passages = pd.DataFrame({"first_word": [0, *ends[:-1]][: len(ends)], "last_word": [end - 1 for end in ends]}, dtype=object)
    every = among_all(passages, np.array(said))
    spans = zip(every.first_word.tolist(), every.last_word.tolist(), strict=True)
    covered = [word for first, last in spans for word in range(first, last + 1)]
    assert covered == (list(range(len(said))) if count else [])
    assert among_said(every, np.array(said)).astype(int).equals(passages.astype(int))


@pytest.mark.parametrize(
    ("phrase", "replacement", "expected"),
    [
        ("port author ity", "Port Authority", [(range(1, 4), "Port Authority")]),
        ("Paid", "pays", [(range(4, 5), "pays.")]),
        ("paid", "", [(range(4, 5), "")]),
        ("ort", "x", []),
        ("...", "x", []),
        ("the", "A", [(range(1), "A")]),
    ],
)
def test_phrase_is_found_by_its_words(phrase: str, replacement: str, expected: list[tuple[range, str]]) -> None:
    found = find_phrases(words_of(HEARD), phrase, replacement)
    assert [(each.rows, each.replaced) for each in found] == expected


def test_phrase_in_part_of_a_row_leaves_the_rest() -> None:
    [found] = find_phrases(words_of([" of New", " York City."]), "york", "Jersey")
    assert (found.rows, found.replaced) == (range(1, 2), "Jersey City.")
