"""Turns become spans of samples with a condition, and their vectors become one centroid per speaker."""

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


@pytest.mark.parametrize(
    ("turns", "spans"),
    [
        ([(0.0, 1.0, "A"), (1.25, 2.5, "B")], [(0, 16_000), (20_000, 40_000)]),
        ([(9.5, 12.0, "A")], [(152_000, 160_000)]),  # beyond the end
        ([(0.25, 0.25, "A"), (10.0, 10.0, "A"), (13.0, 13.0, "A")], [(4_000, 4_001), (159_999, 160_000), (159_999, 160_000)]),
    ],
)
def test_turn_spans(turns: list[Turn], spans: list[tuple[int, int]]) -> None:
    assert turn_spans(turns_frame(*turns), 10 * SAMPLE_RATE) == spans


SECONDS = st.floats(-1.0, 20.0)


@settings(deadline=None)
@given(st.lists(st.tuples(SECONDS, SECONDS)), st.integers(1, 15 * SAMPLE_RATE))
def test_spans_are_in_the_audio_and_not_empty(times: list[tuple[float, float]], samples: int) -> None:
    turns = turns_frame(*((min(pair), max(pair), "A") for pair in times))
    spans = turn_spans(turns, samples)
    assert len(spans) == len(turns)
    assert all(0 <= first < last <= samples for first, last in spans)


# --- conditions ----------------------------------------------------------------------------------------------------------


def conditions_of(*turns: Turn, forgotten: list[Interval] | None = None) -> list[str]:
    return conditions(turns_frame(*turns), forgotten or [])


SHARE_S = 10 * OVERLAPPED_SHARE


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param([(0.0, 2.0, "A"), (2.0, 4.0, "B"), (5.0, 6.0, "A")], ["clear"] * 3, id="alone"),
        pytest.param([(0.0, MIN_TURN_S - 0.01, "A")], ["too_short"], id="short"),
        pytest.param([(0.0, MIN_TURN_S, "A")], ["clear"], id="just long enough"),
        pytest.param([(0.0, 10.0, "A"), (10.0 - SHARE_S, 10.0, "B")], ["clear", "overlapped"], id="small overlap"),
        pytest.param([(0.0, 10.0, "A"), (9.9 - SHARE_S, 10.0, "B")], ["overlapped", "overlapped"], id="larger overlap"),
        pytest.param([(0.0, 10.0, "A"), (4.0, 6.0, "B"), (4.0, 6.0, "C")], ["clear", *["overlapped"] * 2], id="two at once"),
        pytest.param([(0.0, 10.0, "A"), (4.0, 6.0, "B"), (6.0, 8.0, "C")], ["overlapped"] * 3, id="two in turn"),
    ],
)
def test_conditions(turns: list[Turn], expected: list[str]) -> None:
    assert conditions_of(*turns) == expected


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
def test_turn_is_forgotten_from_one_half(spans: list[Interval], condition: str) -> None:
    assert conditions_of((0.0, 4.0, "A"), forgotten=spans) == [condition]


def test_forgotten_precedes_too_short_precedes_overlapped() -> None:
    turns: list[Turn] = [(0.0, 0.2, "A"), (0.1, 0.3, "B"), (0.1, 5.0, "C")]
    assert conditions_of(*turns, forgotten=[(0.0, 0.15)]) == ["forgotten", "too_short", "clear"]
    assert conditions_of((0.0, 4.0, "A"), (0.0, 4.0, "B"), forgotten=[(0.0, 4.0)]) == ["forgotten", "forgotten"]


def test_empty_turn_is_too_short() -> None:
    assert conditions_of((1.0, 1.0, "A"), forgotten=[(0.0, 2.0)]) == ["too_short"]


# --- centroids -----------------------------------------------------------------------------------------------------------


Embedded = tuple[float, float, str, str, np.ndarray | None]


def speakers_of(*turns: Embedded) -> pd.DataFrame:
    columns = ["start_s", "end_s", "local_speaker", "condition", "embedding"]
    return local_speakers(pd.DataFrame(list(turns), columns=columns)).set_index("local_speaker")


@pytest.mark.parametrize(("condition", "clear_s"), [("clear", 7.0), ("overlapped", 0.0), ("too_short", 0.0)])
def test_centroid_weighs_turns_by_seconds(condition: str, clear_s: float) -> None:
    speakers = speakers_of((0.0, 3.0, "A", condition, EAST), (5.0, 9.0, "A", condition, NORTH))
    assert speakers.centroid["A"] == pytest.approx([0.6, 0.8, 0.0])
    assert speakers.clear_s["A"] == clear_s


def test_centroid_is_a_unit_vector_in_single_precision() -> None:
    speakers = speakers_of((0.0, 1.0, "A", "clear", EAST), (1.0, 3.0, "A", "clear", (EAST + UP) / 2))
    assert np.linalg.norm(speakers.centroid["A"]) == pytest.approx(1.0)
    assert speakers.centroid["A"].dtype == np.float32


@pytest.mark.parametrize(
    ("better", "worse"),
    [("clear", "overlapped"), ("clear", "too_short"), ("overlapped", "too_short"), ("too_short", "forgotten")],
)
def test_centroid_uses_the_best_condition_only(better: str, worse: str) -> None:
    speakers = speakers_of((0.0, 1.0, "A", better, EAST), (1.0, 9.0, "A", worse, None if worse == "forgotten" else NORTH))
    assert speakers.centroid["A"] == pytest.approx(EAST)


@pytest.mark.parametrize(
    ("turns", "two"),
    [
        ([(4.0, EAST), (4.0, EAST)], False),
        ([(4.0, EAST), (4.0, NORTH)], True),
        ([(4.0, EAST), (4.0, (EAST + NORTH) / np.sqrt(2))], False),  # a cosine of 0.7: noise, or another mood
        ([(4.0, EAST), (0.6, NORTH)], False),  # too little to be sure of a second voice
        ([*[(4.0, EAST)] * 20, (4.0, NORTH)], False),  # a twentieth: a cough, or a quotation
    ],
)
def test_two_voices_in_one_speaker(turns: list[tuple[float, np.ndarray]], two: bool) -> None:
    starts = np.cumsum([0.0, *(seconds for seconds, _ in turns)])
    rows = [(start, start + seconds, "A", "clear", vector) for start, (seconds, vector) in zip(starts, turns, strict=False)]
    assert speakers_of(*rows).two_voices["A"] == two


def test_overlapped_turns_are_no_second_voice() -> None:
    assert not speakers_of((0.0, 4.0, "A", "clear", EAST), (4.0, 8.0, "A", "overlapped", NORTH)).two_voices["A"]


def test_forgotten_speaker_has_no_centroid() -> None:
    speakers = speakers_of((0.0, 3.0, "A", "forgotten", None), (3.0, 7.0, "B", "clear", NORTH))
    assert speakers.centroid["A"] is None
    assert (speakers.speech_s["A"], speakers.turns["A"], speakers.clear_s["A"]) == (3.0, 1, 0.0)
    assert speakers.centroid["B"] == pytest.approx(NORTH)


def test_only_clear_turns_count_as_clear_seconds() -> None:
    speakers = speakers_of(
        (0.0, 1.0, "A", "clear", EAST), (1.0, 9.0, "A", "overlapped", NORTH), (9.0, 11.5, "A", "clear", EAST)
    )
    assert (speakers.speech_s["A"], speakers.turns["A"], speakers.clear_s["A"]) == (11.5, 3, 3.5)


def test_each_speaker_has_its_own_turns() -> None:
    speakers = speakers_of((0.0, 1.0, "B", "clear", EAST), (1.0, 2.0, "A", "clear", NORTH), (2.0, 3.0, "B", "clear", EAST))
    assert speakers.index.tolist() == ["A", "B"]
    assert speakers.centroid["A"] == pytest.approx(NORTH)
    assert speakers.centroid["B"] == pytest.approx(EAST)


def test_empty_turns_give_a_finite_centroid() -> None:
    assert np.isfinite(speakers_of((1.0, 1.0, "A", "too_short", EAST)).centroid["A"]).all()


def test_no_turns_give_no_speakers(database: Database) -> None:
    for turns in (turns_frame(), database.frame("turns", "missing", "turn_index")):
        assert turn_spans(turns, SAMPLE_RATE) == []
        assert conditions(turns, []) == conditions(turns, [(0.0, 1.0)]) == []
        speakers = local_speakers(turns.assign(condition=[], embedding=[]))
        assert speakers.empty
        assert speakers.columns.tolist() == ["local_speaker", "speech_s", "turns", "clear_s", "two_voices", "centroid"]
