"""The measurement of retrieval: questions, talks, what counts as answered, the cut with an overlap. Nothing is searched."""

import numpy as np
import pandas as pd
import pytest

from bench.corpora.monologues import WORDS_PER_S, paragraphs, spoken, talks
from bench.corpora.questions import KINDS, NAME, RECORDINGS, TALKS, Question, plain
from bench.search.retrieval import Answered, Spoken, answered, overlapped, qualities_by_kind, quality, said_at
from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.search.hits import Hit

TEXT = "One two three. Four five six. Seven eight nine. Ten eleven."


def hit(place: int, text: str, video_id: str = "v", start_s: float = 0.0, end_s: float = 99.0) -> Hit:
    return Hit(
        place=place, video_id=video_id, title="", source="", published_at=None, language="en", start_s=start_s, end_s=end_s,
        speakers=(), text=text, before=None, after=None, meaning=None, words=1.0, score=1.0, link="",
    )  # fmt: skip


def cut(seconds: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    words = spoken(TEXT)
    return cut_passages(words, ["A"] * len(words), [1] * len(words), Limits(seconds, 100)), words


# --- questions and talks -------------------------------------------------------------------------------------------------


def test_every_question_about_talks_has_an_answer() -> None:
    texts = ["".join(talk.words.text) for talk in talks()]
    assert [question.text for question in TALKS if not any(question.is_answered_by(text) for text in texts)] == []


def test_questions_are_of_every_kind_and_unique() -> None:
    for questions in (RECORDINGS, TALKS):
        assert len(questions) >= 50
        assert {question.kind for question in questions} == set(KINDS)
    assert len({question.text for question in RECORDINGS + TALKS}) == len(RECORDINGS + TALKS)


@pytest.mark.parametrize(
    ("answer", "passage", "wanted"),
    [
        ("didn't know", "Oh. I DIDN'T know!", True),
        ("epoch of belief", "it was the epoch, of belief", True),
        ("ate", "He was late.", False),
        ("belief epoch", "epoch belief", False),
        ("PEP 448", "see PEP 4480", False),
    ],
)
def test_answer_is_whole_words_in_order(answer: str, passage: str, wanted: bool) -> None:
    assert Question(NAME, answer, answer).is_answered_by(passage) is wanted


def test_talks_have_even_pace_and_are_unique() -> None:
    read = talks()
    assert sum(len(talk.words) for talk in read) > 20_000
    for talk in read:
        assert np.allclose(np.diff(talk.words.start_s), 1 / WORDS_PER_S)
    assert len({"".join(talk.words.text) for talk in read}) == len(read)


def test_paragraphs_are_prose_without_markup() -> None:
    chapter = (
        'Heading\n*******\n\nThe *global* statement is a “declaration” which holds\nfor the "block".\n\n'
        "   if this_is_code: it is not prose, whatever its length may be.\n\nShort text.\n\nnot | a | capital | letter | "
        "at | the | beginning | here."
    )
    assert list(paragraphs(chapter)) == ["The global statement is a declaration which holds for the block."]


# --- what counts ---------------------------------------------------------------------------------------------------------


def test_first_answering_passage_counts() -> None:
    library = [Spoken("v", spoken(TEXT), ["A"] * 11)]
    question = Question(NAME, "five", "five six")
    hits = [hit(1, "five six", video_id="distractor"), hit(2, "Ten eleven."), hit(3, "Four five six.", start_s=1.2)]
    found = answered(question, hits, library)
    assert (found.place, found.until_answer_s) == (3, pytest.approx(4 / WORDS_PER_S - 1.2))
    assert answered(question, hits[:2], library) == Answered(question, None, None)


def test_answer_time_is_within_the_passage() -> None:
    words = spoken("a b c a b c")
    assert said_at("b c", words, 0.0, 9.0) == pytest.approx(1 / WORDS_PER_S)
    assert said_at("b c", words, 3 / WORDS_PER_S, 9.0) == pytest.approx(4 / WORDS_PER_S)
    assert said_at("t know", spoken("you didn't know"), 0.0, 9.0) == pytest.approx(1 / WORDS_PER_S)


def test_quality_is_recall_at_5_and_mrr() -> None:
    question = RECORDINGS[0]
    found = quality([Answered(question, place, seconds) for place, seconds in ((1, 2.0), (4, 4.0), (10, 0.0), (None, None))])
    assert (found.questions, found.recall_at_5, found.mrr) == (4, 0.5, pytest.approx((1 + 0.25 + 0.1) / 4))
    assert found.until_answer_s == 2.0
    assert quality([Answered(question, None, None)]).until_answer_s is None


def test_quality_is_grouped_by_material_and_kind() -> None:
    asked = [Answered(question, 1 if question in TALKS else None, None) for question in RECORDINGS + TALKS]
    found = qualities_by_kind({"both": asked})
    assert {found["recordings", kind, "both"].recall_at_5 for kind in (*KINDS, "all")} == {0.0}
    assert {found["talks", kind, "both"].mrr for kind in (*KINDS, "all")} == {1.0}
    assert found["all", "all", "both"].recall_at_5 == pytest.approx(len(TALKS) / len(asked))


# --- overlap -------------------------------------------------------------------------------------------------------------


def test_overlap_is_the_last_sentence_before() -> None:
    passages, words = cut(2.5)
    assert passages.text.tolist() == ["One two three. Four five six.", "Seven eight nine. Ten eleven."]
    found = overlapped(passages, words)
    assert found.text.tolist() == [passages.text[0], "Four five six. Seven eight nine. Ten eleven."]
    assert (found.first_word.tolist(), found.start_s.tolist()) == ([0, 3], [0.0, pytest.approx(3 / WORDS_PER_S)])
    assert found[["end_s", "last_word"]].equals(passages[["end_s", "last_word"]])


def test_overlap_repeats_single_sentence_once() -> None:
    passages, words = cut(1.3)
    assert overlapped(passages, words).text.tolist() == [
        "One two three.", "One two three. Four five six.", "Four five six. Seven eight nine.", "Seven eight nine. Ten eleven."
    ]  # fmt: skip


@pytest.mark.parametrize("changed", [{"local_speaker": "B"}, {"start_s": 99.0}])
def test_no_overlap_across_speakers_or_pauses(changed: dict) -> None:
    passages, words = cut(2.5)
    passages.loc[1, list(changed)] = list(changed.values())
    assert overlapped(passages, words).text.tolist() == passages.text.tolist()


def test_plain_is_lower_case_with_single_spaces() -> None:
    assert plain("  “Ever tried.”  EVER-failed_again 448!") == "ever tried ever failed again 448"
