"""Turns become spans of samples, each with a condition, and vectors become one centroid a speaker."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earshot.common.audio import SAMPLE_RATE
from earshot.common.timeline import Interval
from earshot.speakers.voices.local_speakers import MIN_TURN_S, OVERLAPPED_SHARE, conditions, local_speakers, turn_spans
from earshot.storage.database import Database

Turn = tuple[float, float, str]
EAST, NORTH, UP = np.eye(3, dtype=np.float32)


def turns_frame(*turns: Turn) -> pd.DataFrame:
    return pd.DataFrame(list(turns), columns=["start_s", "end_s", "local_speaker"])


def test_a_span_is_the_turn_in_samples() -> None:
    turns = turns_frame((0.0, 1.0, "A"), (1.25, 2.5, "B"))
    assert turn_spans(turns, 10 * SAMPLE_RATE) == [(0, 16_000), (20_000, 40_000)]


def test_a_turn_beyond_the_end_is_cut_there() -> None:
    assert turn_spans(turns_frame((0.5, 2.0, "A")), SAMPLE_RATE) == [(8_000, 16_000)]


@pytest.mark.parametrize("start_s", [0.25, 1.0, 3.0])
def test_a_turn_without_length_or_after_the_end_has_one_sample(start_s: float) -> None:
    ((first, last),) = turn_spans(turns_frame((start_s, start_s, "A")), SAMPLE_RATE)
    assert last - first == 1
    assert 0 <= first < last <= SAMPLE_RATE


SECONDS = st.floats(-1.0, 20.0)


@settings(deadline=None)
@given(st.lists(st.tuples(SECONDS, SECONDS)), st.integers(1, 15 * SAMPLE_RATE))
def test_every_span_lies_in_the_audio_and_is_not_empty(times: list[tuple[float, float]], samples: int) -> None:
    turns = turns_frame(*((min(pair), max(pair), "A") for pair in times))
    spans = turn_spans(turns, samples)
    assert len(spans) == len(turns)
    assert all(0 <= first < last <= samples for first, last in spans)


# --- conditions ----------------------------------------------------------------------------------------------------------


def condition_of(*turns: Turn, forgotten: list[Interval] | None = None) -> list[str]:
    return conditions(turns_frame(*turns), forgotten or [])


def test_a_turn_that_nobody_else_speaks_in_is_clear() -> None:
    assert condition_of((0.0, 2.0, "A"), (2.0, 4.0, "B"), (5.0, 6.0, "A")) == ["clear"] * 3


@pytest.mark.parametrize(
    ("seconds", "condition"), [(0.1, "too_short"), (MIN_TURN_S - 0.01, "too_short"), (MIN_TURN_S, "clear")]
)
def test_a_turn_too_short_to_tell_is_marked(seconds: float, condition: str) -> None:
    assert condition_of((0.0, seconds, "A")) == [condition]


@pytest.mark.parametrize(
    ("seconds", "condition"), [(10 * OVERLAPPED_SHARE, "clear"), (10 * OVERLAPPED_SHARE + 0.1, "overlapped")]
)
def test_a_long_turn_stays_clear_where_another_speaks_during_a_small_part_of_it(seconds: float, condition: str) -> None:
    assert condition_of((0.0, 10.0, "A"), (10.0 - seconds, 10.0, "B")) == [condition, "overlapped"]


def test_what_two_others_say_at_the_same_time_overlaps_once() -> None:
    assert condition_of((0.0, 10.0, "A"), (4.0, 6.0, "B"), (4.0, 6.0, "C"))[0] == "clear"
    assert condition_of((0.0, 10.0, "A"), (4.0, 6.0, "B"), (6.0, 8.0, "C"))[0] == "overlapped"


@pytest.mark.parametrize(
    ("spans", "condition"),
    [
        ([(1.0, 3.0)], "forgotten"),
        ([(1.0, 2.9)], "clear"),
        ([(0.0, 1.0), (0.5, 1.5), (1.0, 1.5)], "clear"),
        ([(0.0, 1.0), (3.0, 9.0)], "forgotten"),
        ([(4.0, 9.0)], "clear"),
    ],
)
def test_a_turn_is_forgotten_from_one_half_on(spans: list[Interval], condition: str) -> None:
    assert condition_of((0.0, 4.0, "A"), forgotten=spans) == [condition]


def test_forgotten_comes_before_too_short_and_that_before_overlapped() -> None:
    turns: list[Turn] = [(0.0, 0.2, "A"), (0.1, 0.3, "B"), (0.1, 5.0, "C")]
    assert condition_of(*turns, forgotten=[(0.0, 0.15)]) == ["forgotten", "too_short", "clear"]
    assert condition_of((0.0, 4.0, "A"), (0.0, 4.0, "B"), forgotten=[(0.0, 4.0)]) == ["forgotten", "forgotten"]


def test_a_turn_without_length_is_too_short_whatever_was_forgotten() -> None:
    assert condition_of((1.0, 1.0, "A"), forgotten=[(0.0, 2.0)]) == ["too_short"]


# --- centroids -----------------------------------------------------------------------------------------------------------


Embedded = tuple[float, float, str, str, np.ndarray | None]


def speakers(*turns: Embedded) -> pd.DataFrame:
    columns = ["start_s", "end_s", "local_speaker", "condition", "embedding"]
    return local_speakers(pd.DataFrame(list(turns), columns=columns)).set_index("local_speaker")


def test_a_centroid_weighs_each_turn_by_its_seconds() -> None:
    found = speakers((0.0, 3.0, "A", "clear", EAST), (5.0, 9.0, "A", "clear", NORTH))
    assert found.centroid["A"] == pytest.approx([0.6, 0.8, 0.0])


def test_a_centroid_has_length_one_in_single_precision() -> None:
    found = speakers((0.0, 1.0, "A", "clear", EAST), (1.0, 3.0, "A", "clear", (EAST + UP) / 2))
    assert np.linalg.norm(found.centroid["A"]) == pytest.approx(1.0)
    assert found.centroid["A"].dtype == np.float32


@pytest.mark.parametrize(
    ("better", "worse"),
    [("clear", "overlapped"), ("clear", "too_short"), ("overlapped", "too_short"), ("too_short", "forgotten")],
)
def test_only_the_turns_of_the_best_condition_are_used(better: str, worse: str) -> None:
    found = speakers((0.0, 1.0, "A", better, EAST), (1.0, 9.0, "A", worse, None if worse == "forgotten" else NORTH))
    assert found.centroid["A"] == pytest.approx(EAST)


@pytest.mark.parametrize("condition", ["overlapped", "too_short"])
def test_turns_that_are_not_clear_are_used_where_there_is_nothing_else(condition: str) -> None:
    found = speakers((0.0, 3.0, "A", condition, EAST), (3.0, 7.0, "A", condition, NORTH))
    assert found.centroid["A"] == pytest.approx([0.6, 0.8, 0.0])
    assert found.clear_s["A"] == 0.0


def test_who_was_forgotten_has_no_centroid_and_others_keep_theirs() -> None:
    found = speakers((0.0, 3.0, "A", "forgotten", None), (3.0, 7.0, "B", "clear", NORTH))
    assert found.centroid["A"] is None
    assert (found.speech_s["A"], found.turns["A"], found.clear_s["A"]) == (3.0, 1, 0.0)
    assert found.centroid["B"] == pytest.approx(NORTH)


def test_speech_and_turns_count_all_conditions_and_clear_seconds_only_clear_turns() -> None:
    found = speakers((0.0, 1.0, "A", "clear", EAST), (1.0, 9.0, "A", "overlapped", NORTH), (9.0, 11.5, "A", "clear", EAST))
    assert (found.speech_s["A"], found.turns["A"], found.clear_s["A"]) == (11.5, 3, 3.5)


def test_each_speaker_is_made_of_their_own_turns() -> None:
    found = speakers((0.0, 1.0, "B", "clear", EAST), (1.0, 2.0, "A", "clear", NORTH), (2.0, 3.0, "B", "clear", EAST))
    assert found.index.tolist() == ["A", "B"]
    assert found.centroid["A"] == pytest.approx(NORTH)
    assert found.centroid["B"] == pytest.approx(EAST)


def test_turns_without_length_give_a_centroid_without_nan() -> None:
    assert np.isfinite(speakers((1.0, 1.0, "A", "too_short", EAST)).centroid["A"]).all()


def test_no_turns_give_no_spans_no_conditions_and_no_speakers(database: Database) -> None:
    for turns in (turns_frame(), database.frame("turns", "nobody", "turn_index")):
        assert turn_spans(turns, SAMPLE_RATE) == []
        assert conditions(turns, []) == conditions(turns, [(0.0, 1.0)]) == []
        found = local_speakers(turns.assign(condition=[], embedding=[]))
        assert found.empty
        assert found.columns.tolist() == ["local_speaker", "speech_s", "turns", "clear_s", "centroid"]
