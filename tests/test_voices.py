"""Turns become spans of samples, vectors become one centroid a speaker, and a vector known before is read, not computed."""

import numpy as np
import pandas as pd
import pytest
from dagster import build_asset_context
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.stage import Stage
from ingest_assets.voice_embeddings import _known
from ingest_assets.voices import local_speakers, sample_spans
from resources.catalogue import Video, register
from resources.database import Database
from resources.decoding import SAMPLE_RATE
from resources.measurement import Execution, Measurement

Turn = tuple[float, float, str, bool]
EAST, NORTH, UP = np.eye(3, dtype=np.float32)


def turns_frame(*turns: Turn) -> pd.DataFrame:
    return pd.DataFrame(list(turns), columns=["start_s", "end_s", "local_speaker", "overlap"])


def speakers(*turns: Turn, vectors: list[np.ndarray]) -> pd.DataFrame:
    return local_speakers(turns_frame(*turns), np.array(vectors, dtype=np.float32)).set_index("local_speaker")


def test_a_span_is_the_turn_in_samples() -> None:
    turns = turns_frame((0.0, 1.0, "A", False), (1.25, 2.5, "B", False))
    assert sample_spans(turns, 10 * SAMPLE_RATE) == [(0, 16_000), (20_000, 40_000)]


def test_a_turn_beyond_the_end_is_cut_there() -> None:
    assert sample_spans(turns_frame((0.5, 2.0, "A", False)), SAMPLE_RATE) == [(8_000, 16_000)]


@pytest.mark.parametrize("start_s", [0.25, 1.0, 3.0])
def test_a_turn_without_length_or_after_the_end_has_one_sample(start_s: float) -> None:
    ((first, last),) = sample_spans(turns_frame((start_s, start_s, "A", False)), SAMPLE_RATE)
    assert last - first == 1
    assert 0 <= first < last <= SAMPLE_RATE


SECONDS = st.floats(-1.0, 20.0)


@settings(deadline=None)
@given(st.lists(st.tuples(SECONDS, SECONDS)), st.integers(1, 15 * SAMPLE_RATE))
def test_every_span_lies_in_the_audio_and_is_not_empty(times: list[tuple[float, float]], samples: int) -> None:
    turns = turns_frame(*((min(pair), max(pair), "A", False) for pair in times))
    spans = sample_spans(turns, samples)
    assert len(spans) == len(turns)
    assert all(0 <= first < last <= samples for first, last in spans)


def test_a_centroid_weighs_each_turn_by_its_seconds() -> None:
    found = speakers((0.0, 3.0, "A", False), (5.0, 9.0, "A", False), vectors=[EAST, NORTH])
    assert found.centroid["A"] == pytest.approx([0.6, 0.8, 0.0])


def test_a_centroid_has_length_one_in_single_precision() -> None:
    found = speakers((0.0, 1.0, "A", False), (1.0, 3.0, "A", False), vectors=[EAST, (EAST + UP) / 2])
    assert np.linalg.norm(found.centroid["A"]) == pytest.approx(1.0)
    assert found.centroid["A"].dtype == np.float32


def test_turns_with_overlap_are_left_out_where_there_are_clean_ones() -> None:
    found = speakers((0.0, 1.0, "A", False), (1.0, 9.0, "A", True), vectors=[EAST, NORTH])
    assert found.centroid["A"] == pytest.approx(EAST)


def test_turns_with_overlap_are_used_where_there_is_nothing_else() -> None:
    found = speakers((0.0, 3.0, "A", True), (3.0, 7.0, "A", True), vectors=[EAST, NORTH])
    assert found.centroid["A"] == pytest.approx([0.6, 0.8, 0.0])


def test_speech_and_turns_count_overlap_too() -> None:
    found = speakers((0.0, 1.0, "A", False), (1.0, 9.0, "A", True), vectors=[EAST, NORTH])
    assert (found.speech_s["A"], found.turns["A"]) == (9.0, 2)


def test_each_speaker_is_made_of_their_own_turns() -> None:
    turns: list[Turn] = [(0.0, 1.0, "B", False), (1.0, 2.0, "A", False), (2.0, 3.0, "B", False)]
    found = speakers(*turns, vectors=[EAST, NORTH, EAST])
    assert found.index.tolist() == ["A", "B"]
    assert found.centroid["A"] == pytest.approx(NORTH)
    assert found.centroid["B"] == pytest.approx(EAST)


def test_turns_without_length_give_a_centroid_without_nan() -> None:
    found = speakers((1.0, 1.0, "A", False), vectors=[EAST])
    assert np.isfinite(found.centroid["A"]).all()


def test_no_turns_give_no_spans_and_no_speakers(database: Database) -> None:
    for turns in (turns_frame(), database.frame("turns", "nobody", "turn_index")):
        assert sample_spans(turns, SAMPLE_RATE) == []
        found = local_speakers(turns, np.zeros((0, 192), dtype=np.float32))
        assert found.empty
        assert found.columns.tolist() == ["local_speaker", "speech_s", "turns", "centroid"]


# --- the cache -----------------------------------------------------------------------------------------------------------


def model(revision: str = "r1") -> Execution:
    return Execution("cpu", "cpu", "a processor", "campplus", revision, "float32", 8)


@pytest.fixture
def at_work(database: Database) -> Stage:
    """A video whose turn from sample 0 to 16000 has a vector."""
    video = Video("v1", "/a.mp3", "/", "A")
    register(database, [video])
    row = {
        "turn_index": 0, "audio_sha256": "of the samples", "first_sample": 0, "last_sample": 16_000,
        "model": "campplus", "model_revision": "r1", "embedding": EAST,
    }  # fmt: skip
    database.replace("v1", {"voice_embeddings": pd.DataFrame([row])})
    return Stage(build_asset_context(partition_key="v1"), database, video, Measurement())


def test_a_vector_computed_before_is_read_as_the_numbers_it_was(at_work: Stage) -> None:
    known = _known(at_work, "of the samples", model())
    assert list(known) == [(0, 16_000)]
    assert np.array([known[0, 16_000]], dtype=np.float32).tolist() == [EAST.tolist()]


def test_a_vector_of_other_audio_or_another_model_is_not_read(at_work: Stage) -> None:
    assert _known(at_work, "of other samples", model()) == {}
    assert _known(at_work, "of the samples", model("r2")) == {}
