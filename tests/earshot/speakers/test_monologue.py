"""The short way for a video that one enrolled voice fills: what it takes, and what it leaves to the full diarization."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest
from dagster import build_asset_context
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

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
from ingest_assets.assets.speaker_turns import _monologue, speaker_turns
from ingest_assets.stages.stage import StageRun
from tests.support.one_video import metadata_of, put_audio, run
from tests.support.voice_videos import enrol

if TYPE_CHECKING:  # imports torch
    from earshot.models.voice.diarizer import Diarizer

EAST, NORTH, UP = np.eye(3)
LIMITS = Thresholds(0.6, 0.1, "a test")


def people(**profiles: np.ndarray) -> Profiles:
    """Profiles by id, as p7=EAST."""
    return Profiles(np.array([int(name[1:]) for name in profiles]), quantize(np.stack(list(profiles.values()))))


def between(one: np.ndarray, other: np.ndarray, cosine: float) -> np.ndarray:
    """A direction at this cosine to the first, towards the second."""
    return cosine * one + np.sqrt(1 - cosine**2) * other


# --- before any voice is looked at ---------------------------------------------------------------------------------------


def speech_of(*stretches: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(stretches), columns=["start_s", "end_s"])


LONG = speech_of((0.0, 20.0), (25.0, 60.0))


def second_in(*heard: int, seconds: float = 1.0) -> np.ndarray:
    """Of 50 windows, a second speaker for some seconds in these."""
    found = np.zeros(50)
    found[list(heard)] = seconds
    return found


def test_little_speech_is_a_doubt_however_long_the_audio() -> None:
    short = speech_of((0.0, MIN_SPEECH_S / 2), (500.0, 499.9 + MIN_SPEECH_S / 2))
    assert "little speech: 29.9 s" in reason_for_doubt(short, second_in(), 1.0)
    assert "little speech: 0.0 s" in reason_for_doubt(speech_of(), np.zeros(1), 1.0)


def test_one_speaker_throughout_is_no_doubt() -> None:
    assert reason_for_doubt(LONG, second_in(), 1.0) == ""


@pytest.mark.parametrize("heard", [range(3), range(20, 30), range(47, 50), (0, 4, 9)])
def test_a_second_speaker_in_three_of_ten_windows_is_a_doubt_wherever_they_are(heard: tuple[int, ...]) -> None:
    assert reason_for_doubt(LONG, second_in(*heard), 1.0).startswith("second speaker:")


@pytest.mark.parametrize("heard", [0, 1, 2, 47, 48, 49])
def test_at_the_beginning_and_the_end_where_few_windows_hear_a_second_one_of_them_is_enough(heard: int) -> None:
    assert f"between {heard} and {heard + 10} s" in reason_for_doubt(LONG, second_in(heard), 1.0)


def test_a_single_window_that_hears_two_is_taken_for_an_error_also_in_several_places() -> None:
    assert reason_for_doubt(LONG, second_in(5, 14, 23, 32, 41), 1.0) == ""
    assert reason_for_doubt(LONG, second_in(*range(50), seconds=0.2), 1.0) == ""


def test_a_long_video_does_not_dilute_a_second_speaker() -> None:
    found = np.zeros(10_000)
    found[9_000:9_003] = 0.5
    assert "between 9000 and 9010 s" in reason_for_doubt(LONG, found, 1.0)


# --- windows -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 90_000)), min_size=1, max_size=40))
def test_windows_hold_the_same_amount_of_speech_and_no_pause_and_reach_from_the_first_to_the_last(
    stretches: list[tuple[int, int]],
) -> None:
    speech, at = [], 0
    for pause, length in [*stretches, (100, 70_000)]:
        speech.append((at + pause, at + pause + length))
        at += pause + length
    spoken = np.concatenate([np.arange(*stretch) for stretch in speech])
    chosen = windows(speech)
    heard = [np.concatenate([np.arange(*span) for span in spans]) for spans in chosen]
    begins = [int(np.searchsorted(spoken, window[0])) for window in heard]
    size = round(WINDOW_S * SAMPLE_RATE)
    for window, begin in zip(heard, begins, strict=True):
        assert np.array_equal(window, spoken[begin : begin + size])
    assert begins[0] == 0
    assert heard[-1][-1] == spoken[-1]
    assert all(np.diff(begins) <= WINDOW_STEP_S * SAMPLE_RATE + 1)


def test_windows_that_are_joined_keep_their_samples() -> None:
    samples = np.arange(100, dtype=np.float32)
    row, spans = concatenate_windows(samples, [((0, 3), (10, 12)), ((50, 55),)])
    assert [row[first:last].tolist() for first, last in spans] == [[0, 1, 2, 10, 11], [50, 51, 52, 53, 54]]


# --- the decision --------------------------------------------------------------------------------------------------------


def test_windows_that_all_say_the_same_person_are_a_monologue() -> None:
    found = accept_monologue(
        np.stack([EAST, between(EAST, UP, 0.7), between(EAST, NORTH, 0.9)]), people(p7=EAST, p9=NORTH), LIMITS
    )
    assert (found.accepted, found.person_id, found.windows) == (True, 7, 3)
    assert found.reason == "one voice: 3 windows at 0.70 or more, 0.46 ahead of the second person"


def test_one_enrolled_person_needs_no_margin() -> None:
    found = accept_monologue(np.stack([EAST]), people(p7=EAST), LIMITS)
    assert found.accepted
    assert "no one else enrolled" in found.reason


@pytest.mark.parametrize("position", [0, 10, 19])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(UP, id="nobody"),
        pytest.param(between(EAST, UP, 0.59), id="not near enough"),
        pytest.param(between(EAST, NORTH, 0.74), id="too near to the second"),
        pytest.param(NORTH, id="the second person"),
        pytest.param(np.zeros(3), id="no vector"),
        pytest.param(np.array([np.nan, 0.0, 0.0]), id="no number"),
    ],
)
def test_one_window_of_doubt_anywhere_means_the_full_way(position: int, other: np.ndarray) -> None:
    vectors = np.stack([EAST] * 20)
    vectors[position] = other
    found = accept_monologue(vectors, people(p7=EAST, p9=NORTH), LIMITS)
    assert (found.accepted, found.person_id) == (False, None)
    assert found.reason


def test_without_profiles_or_windows_nothing_is_taken() -> None:
    nobody = Profiles(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert accept_monologue(np.stack([EAST]), nobody, LIMITS).reason == NO_PROFILE
    assert not accept_monologue(np.zeros((0, 3)), people(p7=EAST), LIMITS).accepted


# --- the asset, with real models on recordings ---------------------------------------------------------------------------

NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")
DIALOGUE = Clip("moonshine_voice", "assets/endgame_nagg_nell.wav")
# One of the two strangers, alone.
STRANGER = Clip(TELEPHONE.package, TELEPHONE.path, 21.8, 27.8)
# In seconds of speech that one turn has and the other has not, per second of speech.
MOST_DER = 0.01


@pytest.fixture(scope="module")
def narrator() -> np.ndarray:
    return clip_samples(NARRATOR)


@pytest.fixture
def diarizer(home: Path) -> "Diarizer":
    assert home.exists()
    return Models().diarizer(require_device("cpu"))


@pytest.fixture
def at_work(database: Database, monkeypatch: pytest.MonkeyPatch) -> StageRun:
    """Asset speaker_turns at work on a video, the short way on; nobody is enrolled."""
    monkeypatch.setenv("EARSHOT_MONOLOGUE", "1")
    video = Video("v1", "/v1.mp3", "/", "v1")
    register(database, [video])
    return StageRun(build_asset_context(partition_key="v1"), database, video, Measurement())


@pytest.fixture
def enrolled(at_work: StageRun, diarizer: "Diarizer", narrator: np.ndarray) -> int:
    """The narrator is enrolled with 20 seconds from the end of his recording; his id."""
    return enrol(at_work.database, "Narrator", *diarizer.voices(narrator, [(24 * SAMPLE_RATE, len(narrator))]))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def compared(reference: pd.DataFrame, hypothesis: pd.DataFrame) -> float:
    """DER, no collar, overlap counted."""
    annotations = [Annotation(), Annotation()]
    for annotation, turns in zip(annotations, (reference, hypothesis), strict=True):
        for index, start, end, speaker in turns[["start_s", "end_s", "local_speaker"]].itertuples():
            annotation[Segment(start, end), index] = speaker
    metric: Any = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    return metric(*annotations)


@pytest.mark.slow
def test_a_monologue_is_taken_and_its_turns_are_those_of_the_full_way(
    at_work: StageRun, enrolled: int, diarizer: "Diarizer", narrator: np.ndarray
) -> None:
    found, segmentation = _monologue(at_work, diarizer, narrator)
    assert (found.accepted, found.person_id) == (True, enrolled), found.reason
    assert segmentation is not None
    expected, expected_exclusive = diarizer.diarize(narrator, segmentation=segmentation)
    turns, exclusive = diarizer.one_speaker(segmentation, len(narrator) / SAMPLE_RATE)
    assert turns.columns.tolist() == expected.columns.tolist()
    assert exclusive.columns.tolist() == expected_exclusive.columns.tolist()
    assert compared(expected, turns) <= MOST_DER
    assert compared(expected_exclusive, exclusive) <= MOST_DER
    assert compared(expected, turns[turns.end_s < 40.0]) > MOST_DER  # or the measure would find nothing


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
def test_a_second_voice_anywhere_means_the_full_way(
    at_work: StageRun, enrolled: int, diarizer: "Diarizer", parts: list[tuple[Clip | float, float]], reason: str
) -> None:
    samples = np.concatenate(
        [clip_samples(part)[: round(s * SAMPLE_RATE)] if isinstance(part, Clip) else silence(part) for part, s in parts]
    )
    found, segmentation = _monologue(at_work, diarizer, samples)
    assert enrolled
    assert not found.accepted
    assert found.reason.startswith(reason)
    assert segmentation is not None


def test_without_profile_or_with_a_correction_nothing_is_computed(at_work: StageRun) -> None:
    unused = cast("Diarizer", None)
    assert _monologue(at_work, unused, silence(1.0)) == (diarize_in_full(NO_PROFILE), None)
    person_id = enrol(at_work.database, "Narrator", np.eye(192)[0])
    add_correction(at_work.database, CorrectionKind.IS, person_id, [CorrectedSpan("v1", 0.0, 1.0)])
    found, segmentation = _monologue(at_work, unused, silence(1.0))
    assert (found.accepted, segmentation) == (False, None)
    assert found.reason == "corrected: a correction speaks of this video"


def test_the_short_way_is_off_by_default(at_work: StageRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EARSHOT_MONOLOGUE")
    found, segmentation = _monologue(at_work, cast("Diarizer", None), silence(1.0))
    assert (found.accepted, segmentation) == (False, None)
    assert found.reason == "off: EARSHOT_MONOLOGUE is not 1"


@pytest.mark.slow
def test_the_asset_keeps_the_turns_and_tells_which_way_was_gone(at_work: StageRun, enrolled: int, narrator: np.ndarray) -> None:
    put_audio(at_work.database, "v1", narrator)
    told = metadata_of(run(speaker_turns, "v1"))
    assert (told["path"], told["person_id"], told["speakers"]) == ("monologue", str(enrolled), "1")
    assert str(told["path_reason"]).startswith("one voice: ")
    assert told["inputs"] == 0.0
    assert "Narrator" not in str(told)
    turns = at_work.database.frame("turns", "v1", "turn_index")
    exclusive = at_work.database.frame("exclusive_turns", "v1", "turn_index")
    assert turns.end_s.iloc[-1] > 40.0
    assert not turns.overlap.any()
    pd.testing.assert_frame_equal(turns[exclusive.columns], exclusive)


@pytest.mark.slow
def test_in_doubt_the_asset_goes_the_full_way_and_says_why(at_work: StageRun, enrolled: int) -> None:
    put_audio(at_work.database, "v1", clip_samples(DIALOGUE)[: 14 * SAMPLE_RATE])
    told = metadata_of(run(speaker_turns, "v1"))
    assert enrolled
    assert (told["path"], told["person_id"]) == ("full", "")
    assert str(told["path_reason"]).startswith("little speech: ")
    assert told["inputs"] == 3.0


@pytest.mark.slow
def test_a_failure_of_the_short_way_is_the_assets_failure(
    at_work: StageRun, enrolled: int, diarizer: "Diarizer", narrator: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> np.ndarray:
        raise RuntimeError("the windows cannot be embedded")

    monkeypatch.setattr(type(diarizer), "voices", broken)
    put_audio(at_work.database, "v1", narrator)
    ran = run(speaker_turns, "v1", raise_on_error=False)
    assert enrolled
    assert not ran.success
    failure = ran.failure_data_for_node("speaker_turns")
    assert failure is not None
    assert "the windows cannot be embedded" in str(failure.error)
    assert at_work.database.frame("turns", "v1", "turn_index").empty
