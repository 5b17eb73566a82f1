"""Words become passages: no word is lost or doubled, and cuts are in the right places."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.transcripts.passages import PASSAGE_COLUMNS, PAUSE_S, Limits, cut_passages

ROOMY = Limits(seconds=1000.0, weight=1000)


@dataclass(frozen=True)
class Speech:
    """Arguments of cut_passages()."""

    words: pd.DataFrame
    speakers: list[str | None]
    weights: list[int]
    limits: Limits

    def passages(self) -> pd.DataFrame:
        return cut_passages(self.words, self.speakers, self.weights, self.limits)

    def rows(self) -> list[Any]:
        return list(self.passages().itertuples())


def spoken(text: str, speakers: str = "", limits: Limits = ROOMY) -> Speech:
    """Half a second a word, each of weight 1; `speakers` is one letter per word, `-` for no speaker."""
    texts = [f" {word}" for word in text.split()]
    names = [None if letter == "-" else letter for letter in speakers or "A" * len(texts)]
    words = pd.DataFrame(
        {
            "start_s": [index * 0.5 for index in range(len(texts))],
            "end_s": [index * 0.5 + 0.5 for index in range(len(texts))],
            "text": texts,
        }
    )
    return Speech(words, names, [1] * len(texts), limits)


def texts_of(speech: Speech) -> list[str]:
    return speech.passages().text.tolist()


def test_a_passage_ends_with_a_sentence_rather_than_within_the_next() -> None:
    speech = spoken("One two three. Four five six.", limits=Limits(seconds=100.0, weight=5))
    assert texts_of(speech) == ["One two three.", "Four five six."]


def test_sentences_of_one_speaker_are_joined_while_they_fit() -> None:
    speech = spoken("One two. Three four. Five six.", limits=Limits(seconds=100.0, weight=4))
    assert texts_of(speech) == ["One two. Three four.", "Five six."]


def test_seconds_limit_a_passage_like_weight() -> None:
    speech = spoken("One two. Three four. Five six.", limits=Limits(seconds=2.0, weight=1000))
    assert texts_of(speech) == ["One two. Three four.", "Five six."]


@pytest.mark.parametrize("end", [".", "?", "!", "…", ".”", "?)", "!»", "。"])
def test_each_mark_that_ends_a_sentence_is_a_place_to_cut(end: str) -> None:
    speech = spoken(f"One two three{end} Four five six", limits=Limits(seconds=100.0, weight=5))
    assert texts_of(speech) == [f"One two three{end}", "Four five six"]


def test_a_sentence_beyond_the_limits_is_cut_between_words() -> None:
    speech = spoken("one two three four five six seven", limits=Limits(seconds=100.0, weight=3))
    assert texts_of(speech) == ["one two three", "four five six", "seven"]


def test_a_change_of_speaker_is_a_cut() -> None:
    passages = spoken("Yes I do No", "AAAB").passages()
    assert passages[["local_speaker", "text"]].to_numpy().tolist() == [["A", "Yes I do"], ["B", "No"]]


def test_words_without_speaker_get_their_own_passage() -> None:
    assert spoken("Yes hm No", "A-B").passages().local_speaker.tolist() == ["A", None, "B"]


@pytest.mark.parametrize(("pause_s", "passages"), [(PAUSE_S, 1), (PAUSE_S + 0.25, 2)])
def test_only_a_pause_longer_than_the_limit_is_a_cut(pause_s: float, passages: int) -> None:
    words = pd.DataFrame({"start_s": [0.0, 1.0 + pause_s], "end_s": [1.0, 2.0 + pause_s], "text": [" one", " two"]})
    assert len(cut_passages(words, ["A", "A"], [1, 1], ROOMY)) == passages


def test_abbreviations_and_numbers_lose_no_words() -> None:
    text = "Dr. Smith of St. Mary's paid 3.5 million, i.e. too much, at 9 a.m. on Oct. 3."
    assert texts_of(spoken(text)) == [text]


def test_a_word_without_length_gets_some() -> None:
    words = pd.DataFrame({"start_s": [3.0], "end_s": [3.0], "text": [" Oh."]})
    passage = cut_passages(words, ["A"], [1], ROOMY).iloc[0]
    assert passage.start_s == 3.0
    assert passage.end_s > 3.0


def test_a_passage_lasts_until_its_last_word_to_end_has_ended() -> None:
    words = pd.DataFrame({"start_s": [0.0, 1.0], "end_s": [5.0, 1.5], "text": [" Well", " yes."]})
    assert cut_passages(words, ["A", "A"], [1, 1], ROOMY).end_s.tolist() == [5.0]


def test_no_words_give_an_empty_frame_with_every_column() -> None:
    passages = spoken("").passages()
    assert passages.empty
    assert passages.columns.tolist() == PASSAGE_COLUMNS


TEXTS = st.builds(
    lambda space, word, end: space + word + end,
    st.sampled_from(["", " "]),
    st.sampled_from(["a", "und", "Dr", "3.5", "-like", "日本", "naïve"]),
    st.sampled_from(["", "", ".", "?", "…", '."', ","]),
)


@st.composite
def speeches(draw: st.DrawFn) -> Speech:
    """Words whose starts never run backwards; some overlap, some have no length, some are beyond the limits."""
    steps = st.tuples(st.integers(0, 16), st.integers(0, 40), TEXTS, st.sampled_from(["A", "B", None]), st.integers(1, 9))
    rows, clock = [], 0
    for step, length, text, _, _ in (drawn := draw(st.lists(steps, max_size=30))):
        clock += step
        rows.append((clock / 4, (clock + length // 4) / 4, text))
    return Speech(
        words=pd.DataFrame(rows, columns=["start_s", "end_s", "text"]),
        speakers=[speaker for _, _, _, speaker, _ in drawn],
        weights=[weight for _, _, _, _, weight in drawn],
        limits=Limits(seconds=draw(st.integers(1, 12)) / 2, weight=draw(st.integers(1, 30))),
    )


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_every_word_is_in_exactly_one_passage_and_the_text_stays(speech: Speech) -> None:
    passages = speech.passages()
    covered = [word for row in speech.rows() for word in range(row.first_word, row.last_word + 1)]
    assert covered == list(range(len(speech.words)))
    assert without_space("".join(passages.text)) == without_space("".join(speech.words.text))
    assert passages.passage_index.tolist() == list(range(len(passages)))


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_no_passage_is_empty_or_without_length(speech: Speech) -> None:
    for passage in speech.rows():
        assert passage.end_s > passage.start_s
        assert passage.text.strip() == passage.text != ""


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_a_passage_has_one_speaker_and_the_times_of_its_words(speech: Speech) -> None:
    for passage in speech.rows():
        members = slice(passage.first_word, passage.last_word + 1)
        assert {passage.local_speaker} == set(speech.speakers[members])
        assert passage.start_s == speech.words.start_s.iloc[passage.first_word]
        assert passage.end_s == pytest.approx(speech.words.end_s.iloc[members].max(), abs=0.011)


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_only_a_single_word_is_beyond_the_limits(speech: Speech) -> None:
    for passage in speech.rows():
        fits = passage.end_s - passage.start_s <= speech.limits.seconds
        fits = fits and sum(speech.weights[passage.first_word : passage.last_word + 1]) <= speech.limits.weight
        assert fits or passage.first_word == passage.last_word


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_neighbours_are_apart_for_a_reason(speech: Speech) -> None:
    for before, after in pairwise(speech.rows()):
        changed = speech.speakers[before.last_word] != speech.speakers[after.first_word]
        paused = after.start_s - before.end_s > PAUSE_S
        too_long = max(before.end_s, after.end_s) - before.start_s > speech.limits.seconds
        too_heavy = sum(speech.weights[before.first_word : after.last_word + 1]) > speech.limits.weight
        assert changed or paused or too_long or too_heavy
