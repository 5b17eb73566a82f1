"""Monologues: when one enrolled voice fills a video, and when the full diarization is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pytest
from dagster import build_asset_context
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.measurement import Measurement
from earshot.models.registry import Thresholds
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction
from earshot.speakers.voices.cosine import quantize
from earshot.speakers.voices.monologue import (
    MIN_SPEECH_S,
    NO_PROFILE,
    WINDOW_S,
    WINDOW_STEP_S,
    accept_monologue,
    concatenate_windows,
    diarize_in_full,
    reason_for_doubt,
    windows,
)
from earshot.speakers.voices.profiles import Profiles
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.evaluation.speakers import diarization_errors, turns_of
from ingest_assets.assets.speaker_turns import _monologue, speaker_turns
from ingest_assets.stages.stage import StageRun
from tests.support.videos.one_video import metadata_of, put_audio, run
from tests.support.videos.voice_videos import enrol

if TYPE_CHECKING:  # imports torch
    from earshot.models.voice.diarizer import Diarizer

EAST, NORTH, UP = np.eye(3)
LIMITS = Thresholds(0.6, 0.1, "a test")


def profiles_of(**profiles: np.ndarray) -> Profiles:
    """Profiles by id, as p7=EAST."""
    return Profiles(np.array([int(name[1:]) for name in profiles]), quantize(np.stack(list(profiles.values()))))


def between(first: np.ndarray, second: np.ndarray, cosine: float) -> np.ndarray:
    """A direction at this cosine to the first, towards the second."""
    return cosine * first + np.sqrt(1 - cosine**2) * second


# --- reasons for doubt ---------------------------------------------------------------------------------------------------


def speech_of(*spans: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(spans), columns=["start_s", "end_s"])


LONG = speech_of((0.0, 20.0), (25.0, 60.0))


def second_in(*windows: int, seconds: float = 1.0) -> np.ndarray:
    """50 windows, with a second speaker for some seconds in these."""
    second_s = np.zeros(50)
    second_s[list(windows)] = seconds
    return second_s


def test_little_speech_is_a_doubt() -> None:
    short = speech_of((0.0, MIN_SPEECH_S / 2), (500.0, 499.9 + MIN_SPEECH_S / 2))
    assert "little speech: 29.9 s" in reason_for_doubt(short, second_in(), 1.0)
    assert "little speech: 0.0 s" in reason_for_doubt(speech_of(), np.zeros(1), 1.0)


@pytest.mark.parametrize("second_s", [second_in(), second_in(5, 14, 23, 32, 41), second_in(*range(50), seconds=0.2)])
def test_single_windows_and_moments_are_no_doubt(second_s: np.ndarray) -> None:
    assert reason_for_doubt(LONG, second_s, 1.0) == ""


@pytest.mark.parametrize("windows", [range(3), range(20, 30), range(47, 50), (0, 4, 9)])
def test_second_speaker_in_three_of_ten_windows_is_a_doubt(windows: tuple[int, ...]) -> None:
    assert reason_for_doubt(LONG, second_in(*windows), 1.0).startswith("second speaker:")


@pytest.mark.parametrize("window", [0, 1, 2, 47, 48, 49])
def test_second_speaker_in_one_window_at_an_edge_is_a_doubt(window: int) -> None:
    assert f"between {window} and {window + 10} s" in reason_for_doubt(LONG, second_in(window), 1.0)


def test_long_video_does_not_hide_a_second_speaker() -> None:
    second_s = np.zeros(10_000)
    second_s[9_000:9_003] = 0.5
    assert "between 9000 and 9010 s" in reason_for_doubt(LONG, second_s, 1.0)


# --- windows -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 90_000)), min_size=1, max_size=40))
def test_windows_cover_all_speech_without_pauses(
    spans: list[tuple[int, int]],
) -> None:
    speech, end = [], 0
    for pause, length in [*spans, (100, 70_000)]:
        speech.append((end + pause, end + pause + length))
        end += pause + length
    spoken = np.concatenate([np.arange(*span) for span in speech])
    chosen = windows(speech)
    heard = [np.concatenate([np.arange(*span) for span in spans]) for spans in chosen]
    begins = [int(np.searchsorted(spoken, window[0])) for window in heard]
    size = round(WINDOW_S * SAMPLE_RATE)
    for window, begin in zip(heard, begins, strict=True):
        assert np.array_equal(window, spoken[begin : begin + size])
    assert begins[0] == 0
    assert heard[-1][-1] == spoken[-1]
    assert all(np.diff(begins) <= WINDOW_STEP_S * SAMPLE_RATE + 1)


def test_concatenated_windows_keep_their_samples() -> None:
    samples = np.arange(100, dtype=np.float32)
    row, spans = concatenate_windows(samples, [((0, 3), (10, 12)), ((50, 55),)])
    assert [row[first:last].tolist() for first, last in spans] == [[0, 1, 2, 10, 11], [50, 51, 52, 53, 54]]


# --- acceptance ----------------------------------------------------------------------------------------------------------


def test_windows_of_one_person_are_a_monologue() -> None:
    monologue = accept_monologue(
        np.stack([EAST, between(EAST, UP, 0.7), between(EAST, NORTH, 0.9)]), profiles_of(p7=EAST, p9=NORTH), LIMITS
    )
    assert (monologue.accepted, monologue.person_id, monologue.windows) == (True, 7, 3)
    assert all(number in monologue.reason for number in ("3 windows", "0.70", "0.46"))


def test_only_enrolled_person_needs_no_margin() -> None:
    monologue = accept_monologue(np.stack([EAST]), profiles_of(p7=EAST), LIMITS)
    assert monologue.accepted


@pytest.mark.parametrize("position", [0, 10, 19])
@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(UP, id="stranger"),
        pytest.param(between(EAST, UP, 0.59), id="below the threshold"),
        pytest.param(between(EAST, NORTH, 0.74), id="without margin"),
        pytest.param(NORTH, id="the second person"),
        pytest.param(np.zeros(3), id="no vector"),
        pytest.param(np.array([np.nan, 0.0, 0.0]), id="NaN"),
    ],
)
def test_one_doubtful_window_is_no_monologue(position: int, vector: np.ndarray) -> None:
    vectors = np.stack([EAST] * 20)
    vectors[position] = vector
    monologue = accept_monologue(vectors, profiles_of(p7=EAST, p9=NORTH), LIMITS)
    assert (monologue.accepted, monologue.person_id) == (False, None)
    assert monologue.reason


def test_no_profiles_or_windows_are_no_monologue() -> None:
    no_profiles = Profiles(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert accept_monologue(np.stack([EAST]), no_profiles, LIMITS).reason == NO_PROFILE
    assert not accept_monologue(np.zeros((0, 3)), profiles_of(p7=EAST), LIMITS).accepted


# --- the asset, with real models on recordings ---------------------------------------------------------------------------

NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")
DIALOGUE = Clip("moonshine_voice", "assets/endgame_nagg_nell.wav")
# One voice of the telephone call, alone.
STRANGER = Clip(TELEPHONE.package, TELEPHONE.path, 21.8, 27.8)
MAX_DER = 0.01


@pytest.fixture(scope="module")
def narrator() -> np.ndarray:
    return clip_samples(NARRATOR)


@pytest.fixture
def diarizer(home: Path) -> "Diarizer":
    assert home.exists()
    return Models().diarizer(require_device("cpu"))


@pytest.fixture
def stage_run(database: Database, monkeypatch: pytest.MonkeyPatch) -> StageRun:
    """A run of asset speaker_turns with monologues on and no enrolments."""
    monkeypatch.setenv("EARSHOT_MONOLOGUE", "1")
    video = Video("v1", "/v1.mp3", "/", "v1")
    register(database, [video])
    return StageRun(build_asset_context(partition_key="v1"), database, video, Measurement())


@pytest.fixture
def enrolled(stage_run: StageRun, diarizer: "Diarizer", narrator: np.ndarray) -> int:
    """Enrol the narrator with the last 20 seconds of the recording; returns the person_id."""
    return enrol(stage_run.database, "Narrator", *diarizer.voices(narrator, [(24 * SAMPLE_RATE, len(narrator))]))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def der(reference: pd.DataFrame, hypothesis: pd.DataFrame) -> float:
    """DER, no collar, overlap counted."""
    seconds = max(reference.end_s.max(), hypothesis.end_s.max())
    return diarization_errors(turns_of(reference), turns_of(hypothesis), seconds).rate or 0.0


@pytest.mark.slow
def test_monologue_has_the_turns_of_full_diarization(
    stage_run: StageRun, enrolled: int, diarizer: "Diarizer", narrator: np.ndarray
) -> None:
    monologue, segmentation = _monologue(stage_run, diarizer, narrator)
    assert (monologue.accepted, monologue.person_id) == (True, enrolled), monologue.reason
    assert segmentation is not None
    expected, expected_exclusive = diarizer.diarize(narrator, segmentation=segmentation)
    turns, exclusive = diarizer.one_speaker(segmentation, len(narrator) / SAMPLE_RATE)
    assert turns.columns.tolist() == expected.columns.tolist()
    assert exclusive.columns.tolist() == expected_exclusive.columns.tolist()
    assert der(expected, turns) <= MAX_DER
    assert der(expected_exclusive, exclusive) <= MAX_DER
    assert der(expected, turns[turns.end_s < 40.0]) > MAX_DER  # the measure notices missing turns


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        pytest.param([(NARRATOR, 44.4), (DIALOGUE, 5.0)], "second speaker: first detected between", id="in the last tenth"),
        pytest.param([(STRANGER, 3.0), (NARRATOR, 44.4)], "second speaker: first detected between 0", id="at the beginning"),
        pytest.param([(NARRATOR, 20.0), (DIALOGUE, 28.0)], "second speaker: first detected", id="after the enrolled voice"),
        pytest.param([(NARRATOR, 44.4), (11.0, 0.0), (STRANGER, 6.0)], "unsure: window", id="after a long pause"),
    ],
)
def test_second_voice_is_no_monologue(
    stage_run: StageRun, enrolled: int, diarizer: "Diarizer", parts: list[tuple[Clip | float, float]], reason: str
) -> None:
    samples = np.concatenate(
        [clip_samples(part)[: round(s * SAMPLE_RATE)] if isinstance(part, Clip) else silence(part) for part, s in parts]
    )
    monologue, segmentation = _monologue(stage_run, diarizer, samples)
    assert enrolled
    assert not monologue.accepted
    assert monologue.reason.startswith(reason)
    assert segmentation is not None


def test_without_profile_or_with_correction_nothing_is_computed(stage_run: StageRun) -> None:
    unused = cast("Diarizer", None)
    assert _monologue(stage_run, unused, silence(1.0)) == (diarize_in_full(NO_PROFILE), None)
    person_id = enrol(stage_run.database, "Narrator", np.eye(192)[0])
    add_correction(stage_run.database, CorrectionKind.IS, person_id, [CorrectedSpan("v1", 0.0, 1.0)])
    monologue, segmentation = _monologue(stage_run, unused, silence(1.0))
    assert (monologue.accepted, segmentation) == (False, None)
    assert monologue.reason.startswith("corrected:")


def test_monologue_is_off_by_default(stage_run: StageRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EARSHOT_MONOLOGUE")
    monologue, segmentation = _monologue(stage_run, cast("Diarizer", None), silence(1.0))
    assert (monologue.accepted, segmentation) == (False, None)
    assert monologue.reason.startswith("off:")


@pytest.mark.slow
def test_asset_stores_turns_and_path(stage_run: StageRun, enrolled: int, narrator: np.ndarray) -> None:
    put_audio(stage_run.database, "v1", narrator)
    metadata = metadata_of(run(speaker_turns, "v1"))
    assert (metadata["path"], metadata["person_id"], metadata["speakers"]) == ("monologue", str(enrolled), 1)
    assert str(metadata["path_reason"]).startswith("one voice: ")
    assert metadata["inputs"] == 0.0
    assert "Narrator" not in str(metadata)
    turns = stage_run.database.frame("turns", "v1", "turn_index")
    exclusive = stage_run.database.frame("exclusive_turns", "v1", "turn_index")
    assert turns.end_s.iloc[-1] > 40.0
    assert not turns.overlap.any()
    pd.testing.assert_frame_equal(turns[exclusive.columns], exclusive)


@pytest.mark.slow
def test_asset_diarizes_in_full_when_in_doubt(stage_run: StageRun, enrolled: int) -> None:
    put_audio(stage_run.database, "v1", clip_samples(DIALOGUE)[: 14 * SAMPLE_RATE])
    metadata = metadata_of(run(speaker_turns, "v1"))
    assert enrolled
    assert (metadata["path"], metadata["person_id"]) == ("full", "")
    assert str(metadata["path_reason"]).startswith("little speech: ")
    assert metadata["inputs"] == 3.0


@pytest.mark.slow
def test_failed_monologue_fails_the_asset(
    stage_run: StageRun, enrolled: int, diarizer: "Diarizer", narrator: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> np.ndarray:
        raise RuntimeError("the windows cannot be embedded")

    monkeypatch.setattr(type(diarizer), "voices", broken)
    put_audio(stage_run.database, "v1", narrator)
    result = run(speaker_turns, "v1", raise_on_error=False)
    assert enrolled
    assert not result.success
    failure = result.failure_data_for_node("speaker_turns")
    assert failure is not None
    assert "the windows cannot be embedded" in str(failure.error)
    assert stage_run.database.frame("turns", "v1", "turn_index").empty
