"""Words become passages: every word is in exactly one, and each passage ends where it should."""

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
    """Words of half a second and weight 1; `speakers` has one letter per word, `-` for no speaker."""
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


@pytest.mark.parametrize(
    ("text", "limits", "texts"),
    [
        pytest.param(
            "One two three. Four five six.", Limits(100.0, weight=5), ["One two three.", "Four five six."], id="end of sentence"
        ),
        pytest.param(
            "One two. Three four. Five six.", Limits(100.0, weight=4), ["One two. Three four.", "Five six."], id="by weight"
        ),
        pytest.param(
            "One two. Three four. Five six.", Limits(2.0, weight=1000), ["One two. Three four.", "Five six."], id="by seconds"
        ),
        pytest.param(
            "one two three four five", Limits(100.0, weight=3), ["one two three", "four five"], id="within a long sentence"
        ),
    ],
)
def test_passages_end_with_sentences_within_limits(text: str, limits: Limits, texts: list[str]) -> None:
    assert spoken(text, limits=limits).passages().text.tolist() == texts


def test_each_change_of_speaker_ends_a_passage() -> None:
    passages = spoken("Yes I do hm No", "AAA-B").passages()
    assert passages[["local_speaker", "text"]].to_numpy().tolist() == [["A", "Yes I do"], [None, "hm"], ["B", "No"]]


@pytest.mark.parametrize(("pause_s", "passages"), [(PAUSE_S, 1), (PAUSE_S + 0.25, 2)])
def test_only_a_longer_pause_ends_a_passage(pause_s: float, passages: int) -> None:
    words = pd.DataFrame({"start_s": [0.0, 1.0 + pause_s], "end_s": [1.0, 2.0 + pause_s], "text": [" one", " two"]})
    assert len(cut_passages(words, ["A", "A"], [1, 1], ROOMY)) == passages


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
    """Words in order of their starts; some overlap, some have no length, some exceed the limits."""
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
def test_every_word_is_in_exactly_one_passage(speech: Speech) -> None:
    passages = speech.passages()
    covered = [word for row in speech.rows() for word in range(row.first_word, row.last_word + 1)]
    assert covered == list(range(len(speech.words)))
    assert without_space("".join(passages.text)) == without_space("".join(speech.words.text))
    assert passages.passage_index.tolist() == list(range(len(passages)))


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_passage_has_speaker_and_times_of_its_words(speech: Speech) -> None:
    for passage in speech.rows():
        members = slice(passage.first_word, passage.last_word + 1)
        assert passage.end_s > passage.start_s
        assert passage.text.strip() == passage.text != ""
        assert {passage.local_speaker} == set(speech.speakers[members])
        assert passage.start_s == speech.words.start_s.iloc[passage.first_word]
        assert passage.end_s == pytest.approx(speech.words.end_s.iloc[members].max(), abs=0.011)


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_only_a_single_word_exceeds_the_limits(speech: Speech) -> None:
    for passage in speech.rows():
        fits = passage.end_s - passage.start_s <= speech.limits.seconds
        fits = fits and sum(speech.weights[passage.first_word : passage.last_word + 1]) <= speech.limits.weight
        assert fits or passage.first_word == passage.last_word


@settings(deadline=None, max_examples=50)
@given(speeches())
def test_neighbouring_passages_cannot_be_joined(speech: Speech) -> None:
    for before, after in pairwise(speech.rows()):
        changed = speech.speakers[before.last_word] != speech.speakers[after.first_word]
        paused = after.start_s - before.end_s > PAUSE_S
        too_long = max(before.end_s, after.end_s) - before.start_s > speech.limits.seconds
        too_heavy = sum(speech.weights[before.first_word : after.last_word + 1]) > speech.limits.weight
        assert changed or paused or too_long or too_heavy
