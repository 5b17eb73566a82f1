"""Diarization and voices with the real models: one pass gives pyannote's own output, shared frames nearly so; a vector depends
only on its turn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature
from pyannote.metrics.diarization import DiarizationErrorRate

from bench.contenders.rounds import error_rate
from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from bench.corpora.known_speech import telephone
from earshot.common.audio import SAMPLE_RATE
from earshot.models.cache import Models
from earshot.models.device import require_device

pytestmark = pytest.mark.slow

NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return clip_samples(TELEPHONE)


@pytest.fixture(scope="module")
def diarized(home: object, samples: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turns and exclusive turns of the telephone call."""
    assert home
    return Models().diarizer(require_device("cpu")).diarize(samples)


def _shared() -> Any:
    return Models().diarizer(require_device("cpu"))._pipeline


def _file(samples: np.ndarray) -> dict[str, Any]:
    import torch

    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "telephone"}


def _tracks(found: Any) -> list[Any]:
    return list(found.speaker_diarization.itertracks(yield_label=True))


def _parts(pipeline: Any) -> dict[str, Any]:
    """Arguments for another pipeline of the same models, at pyannote's own step."""
    return {
        "segmentation": pipeline._segmentation.model,
        "embedding": pipeline._embedding.model_,
        "plda": pipeline._plda,
        "clustering": "AgglomerativeClustering",
        "segmentation_batch_size": 4,
        "embedding_batch_size": 4,
    }


@pytest.fixture(scope="module")
def stock(home: object, samples: np.ndarray) -> Any:
    """The output of pyannote's own pipeline for the telephone call."""
    from pyannote.audio.pipelines import SpeakerDiarization

    assert home
    ours = _shared()
    pipeline = SpeakerDiarization(**_parts(ours))
    pipeline.instantiate(ours.parameters(instantiated=True))
    return pipeline(_file(samples))


def test_one_pass_gives_the_turns_and_vectors_of_the_stock_pipeline(stock: Any, samples: np.ndarray) -> None:
    from earshot.models.voice.pipelines import OnePassDiarization

    pipeline = OnePassDiarization(**_parts(_shared()))
    pipeline.instantiate(_shared().parameters(instantiated=True))
    found: Any = pipeline(_file(samples))
    assert _tracks(found) == _tracks(stock)
    np.testing.assert_allclose(found.speaker_embeddings, stock.speaker_embeddings, atol=1e-3)


def test_shared_frames_give_the_stock_pipelines_speakers_with_voices_that_are_hardly_others(
    stock: Any, samples: np.ndarray
) -> None:
    from earshot.models.voice.pipelines import SharedFramesDiarization

    pipeline = SharedFramesDiarization(**_parts(_shared()))
    pipeline.instantiate(_shared().parameters(instantiated=True))
    found: Any = pipeline(_file(samples))
    metric: Any = DiarizationErrorRate()
    assert metric(stock.speaker_diarization, found.speaker_diarization) < 0.02
    one, other = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (
        found.speaker_embeddings, stock.speaker_embeddings))  # fmt: skip
    assert sorted((one @ other.T).argmax(axis=1)) == [0, 1]  # the order of the labels does not matter
    assert (one @ other.T).max(axis=1).min() > 0.97


def test_the_calls_error_rate_is_what_it_should_be(samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    turns, _ = diarized
    spoken = list(zip(turns.start_s, turns.end_s, turns.local_speaker, strict=True))
    assert error_rate(telephone().speech, spoken, len(samples) / SAMPLE_RATE) < 0.08


def test_pyannote_does_not_turn_tensor_floats_off_for_others(samples: np.ndarray) -> None:
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        Models().diarizer(require_device("cpu")).diarize(samples[: 12 * SAMPLE_RATE])
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_a_clustering_of_some_voices_is_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from earshot.models.voice.pipelines import CAMPPLUS_PARAMETERS, BoundedClustering

    random = np.random.default_rng(0)
    people = random.normal(size=(3, 192))
    said_by = np.stack([random.permutation(3) for _ in range(300)])
    voices = people[said_by] + random.normal(scale=0.3, size=(300, 3, 192))
    active = np.zeros((300, 100, 3), np.float32)
    for speaker in range(3):  # each alone for a third of each window
        active[:, 33 * speaker : 33 * speaker + 33, speaker] = 1.0
    clustering = BoundedClustering(metric="cosine")
    clustering.instantiate(CAMPPLUS_PARAMETERS["clustering"])
    heard = SlidingWindowFeature(active, SlidingWindow(duration=10.0, step=2.0))
    of_all, _, _ = clustering(voices, segmentations=heard)
    monkeypatch.setattr("earshot.models.voice.pipelines.MAX_CLUSTERED", 100)
    of_some, _, _ = clustering(voices, segmentations=heard)
    same = [len(np.unique(found[said_by == person])) for found in (of_all, of_some) for person in range(3)]
    assert same == [1] * 6
    assert of_all.max() == of_some.max() == 2


def test_turns_are_in_order_inside_the_audio_and_exclusive_ones_do_not_overlap(
    samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    turns, exclusive = diarized
    assert turns.start_s.is_monotonic_increasing
    assert (turns.end_s > turns.start_s).all()
    assert turns.end_s.max() <= len(samples) / 16_000
    assert (exclusive.start_s.to_numpy()[1:] >= exclusive.end_s.to_numpy()[:-1] - 1e-6).all()
    spans = list(zip(turns.turn_index, turns.start_s, turns.end_s, strict=True))
    overlapping = [
        any(one < end and other > start and number != index for number, one, other in spans) for index, start, end in spans
    ]
    assert turns.overlap.tolist() == overlapping
    assert any(overlapping)


def test_a_segmentation_that_is_there_already_gives_the_same_turns_and_is_not_computed_again(
    samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    segmentation = diarizer.segment(samples)
    monkeypatch.setattr(diarizer._pipeline._segmentation, "slide", None)
    for expected, found in zip(diarized, diarizer.diarize(samples, segmentation=segmentation), strict=True):
        pd.testing.assert_frame_equal(expected, found)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("seconds", [5, 10, 17, 29.5])
def test_segmenting_a_block_of_windows_at_a_time_changes_nothing(
    samples: np.ndarray, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    diarizer, part = Models().diarizer(require_device("cpu")), samples[: round(seconds * SAMPLE_RATE)]
    whole = diarizer.segment(part).windows
    monkeypatch.setattr("earshot.models.voice.pipelines.BLOCK_WINDOWS", 4)
    blocks = diarizer.segment(part).windows
    np.testing.assert_array_equal(blocks.data, whole.data)
    assert (blocks.sliding_window[0], blocks.sliding_window[9]) == (whole.sliding_window[0], whole.sliding_window[9])


def test_a_segmentation_tells_one_speaker_from_two(home: object, samples: np.ndarray) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    two = diarizer.segment(samples).second_speaker_s
    assert two.shape == (11,)
    assert np.median(two) > 1.0
    assert two.max() < 10.0
    one = diarizer.segment(clip_samples(NARRATOR)[: 15 * SAMPLE_RATE]).second_speaker_s
    assert one.tolist() == [0.0] * len(one)
    assert home


def test_one_speaker_of_silence_has_no_turns(home: object) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    turns, exclusive = diarizer.one_speaker(diarizer.segment(np.zeros(SAMPLE_RATE, dtype=np.float32)), 1.0)
    assert turns.empty
    assert exclusive.empty
    assert home


def test_the_diarizers_voice_vectors_are_those_of_the_voice_encoder(home: object, samples: np.ndarray) -> None:
    spans = [(110_000, 118_000), (133_000, 157_000), (230_000, 430_000)]
    device = require_device("cpu")
    found = Models().diarizer(device).voices(samples, spans)
    np.testing.assert_allclose(found, Models().voice_encoder(device).encode(samples, spans), atol=2e-3)
    assert home


def test_a_voice_vector_does_not_depend_on_the_turns_embedded_with_it(home: object, samples: np.ndarray) -> None:
    encoder = Models().voice_encoder(require_device("cpu"))
    spans = [(110_000, 118_000), (133_000, 157_000), (167_000, 235_000), (230_000, 430_000), (300_000, 300_100)]
    together = encoder.encode(samples, spans)
    alone = np.concatenate([encoder.encode(samples, [span]) for span in spans])
    np.testing.assert_allclose(together, alone, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert encoder.encode(samples, []).shape == (0, encoder.dimension)
    assert home
