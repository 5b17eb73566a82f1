"""The measuring of retrieval: questions, talks, what counts as answered, the cut with an overlap. Nothing is searched here."""

import numpy as np
import pandas as pd
import pytest

from bench.corpora.monologues import WORDS_PER_S, paragraphs, spoken, talks
from bench.corpora.questions import KINDS, NAME, RECORDINGS, TALKS, Question, plain
from bench.search.retrieval import Answered, Spoken, answered, overlapped, qualities_by_kind, quality, said_at
from earshot.transcripts.passages import Limits, cut_passages
from earshot.transcripts.search.query import Hit

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


def test_every_question_about_talks_has_its_answer_in_them() -> None:
    said = ["".join(talk.words.text) for talk in talks()]
    assert [question.text for question in TALKS if not any(question.is_answered_by(text) for text in said)] == []


def test_there_are_questions_of_every_kind_about_both_and_none_twice() -> None:
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
def test_an_answer_is_whole_words_in_their_order(answer: str, passage: str, wanted: bool) -> None:
    assert Question(NAME, answer, answer).is_answered_by(passage) is wanted


def test_talks_are_read_at_an_even_pace_and_say_nothing_twice() -> None:
    read = talks()
    assert sum(len(talk.words) for talk in read) > 20_000
    for talk in read:
        assert np.allclose(np.diff(talk.words.start_s), 1 / WORDS_PER_S)
    assert len({"".join(talk.words.text) for talk in read}) == len(read)


def test_of_a_chapter_only_prose_is_read_and_without_markup() -> None:
    chapter = (
        'Heading\n*******\n\nThe *global* statement is a “declaration” which holds\nfor the "block".\n\n'
        "   if this_is_code: it is not prose, whatever its length may be.\n\nShort text.\n\nnot | a | capital | letter | "
        "at | the | beginning | here."
    )
    assert list(paragraphs(chapter)) == ["The global statement is a declaration which holds for the block."]


# --- what counts ---------------------------------------------------------------------------------------------------------


def test_the_first_passage_that_answers_counts_and_distractors_never_do() -> None:
    library = [Spoken("v", spoken(TEXT), ["A"] * 11)]
    question = Question(NAME, "five", "five six")
    hits = [hit(1, "five six", video_id="distractor"), hit(2, "Ten eleven."), hit(3, "Four five six.", start_s=1.2)]
    found = answered(question, hits, library)
    assert (found.place, found.until_answer_s) == (3, pytest.approx(4 / WORDS_PER_S - 1.2))
    assert answered(question, hits[:2], library) == Answered(question, None, None)


def test_the_answer_is_looked_for_within_the_passage_only() -> None:
    words = spoken("a b c a b c")
    assert said_at("b c", words, 0.0, 9.0) == pytest.approx(1 / WORDS_PER_S)
    assert said_at("b c", words, 3 / WORDS_PER_S, 9.0) == pytest.approx(4 / WORDS_PER_S)
    assert said_at("t know", spoken("you didn't know"), 0.0, 9.0) == pytest.approx(1 / WORDS_PER_S)


def test_quality_is_by_the_first_five_and_by_the_reciprocal_of_ten() -> None:
    question = RECORDINGS[0]
    found = quality([Answered(question, place, seconds) for place, seconds in ((1, 2.0), (4, 4.0), (10, 0.0), (None, None))])
    assert (found.questions, found.recall_at_5, found.mrr) == (4, 0.5, pytest.approx((1 + 0.25 + 0.1) / 4))
    assert found.until_answer_s == 2.0
    assert quality([Answered(question, None, None)]).until_answer_s is None


def test_quality_is_told_by_material_and_kind() -> None:
    asked = [Answered(question, 1 if question in TALKS else None, None) for question in RECORDINGS + TALKS]
    found = qualities_by_kind({"both": asked})
    assert {found["recordings", kind, "both"].recall_at_5 for kind in (*KINDS, "all")} == {0.0}
    assert {found["talks", kind, "both"].mrr for kind in (*KINDS, "all")} == {1.0}
    assert found["all", "all", "both"].recall_at_5 == pytest.approx(len(TALKS) / len(asked))


# --- overlap -------------------------------------------------------------------------------------------------------------


def test_an_overlap_is_the_last_sentence_before_with_its_time() -> None:
    passages, words = cut(2.5)
    assert passages.text.tolist() == ["One two three. Four five six.", "Seven eight nine. Ten eleven."]
    found = overlapped(passages, words)
    assert found.text.tolist() == [passages.text[0], "Four five six. Seven eight nine. Ten eleven."]
    assert (found.first_word.tolist(), found.start_s.tolist()) == ([0, 3], [0.0, pytest.approx(3 / WORDS_PER_S)])
    assert found[["end_s", "last_word"]].equals(passages[["end_s", "last_word"]])


def test_a_passage_that_is_one_sentence_is_repeated_whole_but_not_what_was_repeated_in_it() -> None:
    passages, words = cut(1.3)
    assert overlapped(passages, words).text.tolist() == [
        "One two three.", "One two three. Four five six.", "Four five six. Seven eight nine.", "Seven eight nine. Ten eleven."
    ]  # fmt: skip


@pytest.mark.parametrize("changed", [{"local_speaker": "B"}, {"start_s": 99.0}])
def test_nothing_is_repeated_of_another_speaker_or_from_before_a_pause(changed: dict) -> None:
    passages, words = cut(2.5)
    passages.loc[1, list(changed)] = list(changed.values())
    assert overlapped(passages, words).text.tolist() == passages.text.tolist()


def test_plain_words_are_small_letters_with_single_spaces() -> None:
    assert plain("  “Ever tried.”  EVER-failed_again 448!") == "ever tried ever failed again 448"
