"""Speech is encoded once, also for its language; one real whisper model on real speech."""

import jiwer
import numpy as np
import pytest
from ctranslate2 import StorageView
from faster_whisper import WhisperModel

from bench.corpora.episodes import EPISODES, TELEPHONE, clip_samples, episode_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import Misconfigured
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.measurement import CallCounter
from earshot.models.registry import model_set
from earshot.models.speech.batched_pipeline import SecondLook
from earshot.models.speech.halved_whisper import HALVES, Halves
from earshot.models.speech.loops import bare_words, longest_loop
from earshot.models.speech.second_look import LOOP_REPEATS, LOOP_WORDS
from earshot.models.speech.transcriber import Transcriber

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Models().transcriber(require_device("cpu"))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of windows of each of the encoder's calls."""
    calls = []
    encode = WhisperModel.encode

    def counting(model: WhisperModel, features: np.ndarray) -> object:
        calls.append(1 if features.ndim == 2 else len(features))
        return encode(model, features)

    monkeypatch.setattr(WhisperModel, "encode", counting)
    return calls


def test_windows_are_encoded_once(transcriber: Transcriber, encoded: list[int]) -> None:
    speech = np.concatenate([episode_samples(EPISODES[0]), clip_samples(TELEPHONE)])
    tally = CallCounter()
    transcript = transcriber.transcribe(speech, tally=tally)
    assert sum(encoded) == tally.inputs
    assert tally.inputs >= 2
    assert (transcript.language, transcript.language_probability) == transcript.heard_language
    assert transcript.language == "en"
    assert 0.9 < transcript.language_probability <= 1.0


def test_language_is_heard_beside_another_asked_for(transcriber: Transcriber, encoded: list[int]) -> None:
    transcript = transcriber.transcribe(clip_samples(TELEPHONE)[: 9 * SAMPLE_RATE], language="de")
    assert encoded == [1]
    assert (transcript.language, transcript.language_probability) == ("de", 1.0)
    assert transcript.heard_language[0] == "en"


def test_language_that_the_model_lacks_is_an_error(transcriber: Transcriber) -> None:
    with pytest.raises(Misconfigured, match="does not know the language tlh") as refused:
        transcriber.transcribe(clip_samples(TELEPHONE)[: 9 * SAMPLE_RATE], language="tlh")
    assert "en, es" in refused.value.remedy


def test_silence_has_no_language_and_is_not_encoded(transcriber: Transcriber, encoded: list[int]) -> None:
    transcript = transcriber.transcribe(np.zeros(3 * SAMPLE_RATE, dtype=np.float32))
    assert (transcript.language, transcript.heard_language, encoded) == (None, (None, 0.0), [])
    assert transcript.words.empty


def test_loop_of_a_lost_model_is_read_again(transcriber: Transcriber) -> None:
    """English taken for German, in which whisper-base repeats itself."""
    tally = CallCounter()
    transcript = transcriber.transcribe(clip_samples(TELEPHONE), language="de", tally=tally)
    assert transcript.second_look.weak == transcript.second_look.replaced == 1
    assert tally.inputs >= 3  # the window, and its halves
    loop = longest_loop(bare_words(transcript.words.text))
    assert loop.length * loop.repeats < LOOP_WORDS or loop.repeats < LOOP_REPEATS
    assert list(transcript.segments.segment_index) == list(range(len(transcript.segments)))


def test_healthy_speech_is_read_once(transcriber: Transcriber) -> None:
    tally = CallCounter()
    transcript = transcriber.transcribe(clip_samples(TELEPHONE), tally=tally)
    assert (transcript.second_look, tally.inputs) == (SecondLook(), 1.0)


def test_halves_read_what_the_whole_batch_reads(encoded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    speech = np.concatenate([episode_samples(EPISODES[0]), clip_samples(TELEPHONE)])
    whole = transcriber_with_threads(1, monkeypatch).transcribe(speech).words
    [windows] = encoded
    halves = transcriber_with_threads(2, monkeypatch).transcribe(speech).words
    assert sorted(encoded[1:]) == [windows // HALVES, windows - windows // HALVES]
    assert len(halves) > 50
    assert jiwer.wer(" ".join(whole["text"]), " ".join(halves["text"])) < 0.02
    assert abs(whole["start_s"].iloc[-1] - halves["start_s"].iloc[-1]) < 0.1


@pytest.mark.parametrize("windows", [1, 2, 5])
def test_parts_keep_the_order_of_windows(windows: int) -> None:
    features = np.arange(windows, dtype=np.float32)[:, None, None]
    parts = np.array_split(features, min(HALVES, windows))
    halves = Halves(tuple(StorageView.from_array(part) for part in parts))
    assert halves.shape == features.shape
    assert [list(own) for own in halves.cut(range(windows))] == [part.ravel().tolist() for part in parts]


def transcriber_with_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> Transcriber:
    monkeypatch.setattr("earshot.models.speech.transcriber.compute_threads", lambda: threads)
    settings = read_settings()
    speech = model_set(settings).speech
    return Transcriber(speech, locate(speech, settings), require_device("cpu"))
