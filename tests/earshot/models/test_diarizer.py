"""Diarization and voices with the real models: one pass gives pyannote's own output, shared frames nearly the same."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from bench.corpora.known_speech import telephone
from earshot.common.audio import SAMPLE_RATE
from earshot.evaluation.speakers import diarization_errors, turns_of
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


def _tracks(output: Any) -> list[Any]:
    return list(output.speaker_diarization.itertracks(yield_label=True))


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
def part(samples: np.ndarray) -> np.ndarray:
    """Fourteen seconds in which both speak: pyannote's own pipeline takes most of a second of a core for each."""
    return samples[6 * SAMPLE_RATE : 20 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def stock(home: object, part: np.ndarray) -> Any:
    """The output of pyannote's own pipeline for the part."""
    from pyannote.audio.pipelines import SpeakerDiarization

    assert home
    ours = _shared()
    pipeline = SpeakerDiarization(**_parts(ours))
    pipeline.instantiate(ours.parameters(instantiated=True))
    return pipeline(_file(part))


def test_one_pass_matches_the_stock_pipeline(stock: Any, part: np.ndarray) -> None:
    from earshot.models.voice.pipelines import OnePassDiarization

    pipeline = OnePassDiarization(**_parts(_shared()))
    pipeline.instantiate(_shared().parameters(instantiated=True))
    output: Any = pipeline(_file(part))
    assert _tracks(output) == _tracks(stock)
    np.testing.assert_allclose(output.speaker_embeddings, stock.speaker_embeddings, atol=1e-3)


def test_shared_frames_give_nearly_the_same_speakers(stock: Any, part: np.ndarray) -> None:
    from earshot.models.voice.pipelines import SharedFramesDiarization

    pipeline = SharedFramesDiarization(**_parts(_shared()))
    pipeline.instantiate(_shared().parameters(instantiated=True))
    output: Any = pipeline(_file(part))
    seconds = len(part) / SAMPLE_RATE
    error = diarization_errors(stock.speaker_diarization, output.speaker_diarization, seconds).rate
    assert error is not None
    assert error < 0.02
    both = (output.speaker_embeddings, stock.speaker_embeddings)
    ours, theirs = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in both)
    assert sorted((ours @ theirs.T).argmax(axis=1)) == [0, 1]  # the order of the labels does not matter
    assert (ours @ theirs.T).max(axis=1).min() > 0.97


def test_error_rate_of_the_call_is_low(samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    turns, _ = diarized
    error = diarization_errors(telephone().speech, turns_of(turns), len(samples) / SAMPLE_RATE).rate
    assert error is not None
    assert error < 0.08


@pytest.mark.parametrize(
    ("speakers", "found"),
    [((1, 1), {1}), ((2, 2), {2}), ((3, None), {3}), ((1, 2), {2}), ((90, 90), range(4, 91))],
)
def test_asked_number_of_speakers_is_found(
    samples: np.ndarray,
    segmentation: Any,
    capsys: pytest.CaptureFixture[str],
    speakers: tuple[int, int | None],
    found: Collection[int],
) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    turns, exclusive = diarizer.diarize(samples, segmentation=segmentation, speakers=speakers)
    assert turns.local_speaker.nunique() in found
    assert set(exclusive.local_speaker) <= set(turns.local_speaker)
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def segmentation(home: object, samples: np.ndarray) -> Any:
    assert home
    return Models().diarizer(require_device("cpu")).segment(samples)


def test_no_more_speakers_are_asked_of_vbx_than_there_are_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyannote.audio.pipelines.clustering import VBxClustering

    from earshot.models.voice.pipelines import CappedVBxClustering

    asked: list[Any] = []
    monkeypatch.setattr(VBxClustering, "__call__", lambda *arguments, **_: asked.extend(arguments[3:]))
    active = np.ones((4, 10, 1))
    windows = SlidingWindowFeature(active, SlidingWindow(duration=10, step=1))
    CappedVBxClustering(_shared()._plda, metric="cosine")(np.ones((4, 1, 8)), windows, 50, 2, None)
    assert asked == [4, 2, None]


def test_diarizer_leaves_tf32_enabled(samples: np.ndarray) -> None:
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        Models().diarizer(require_device("cpu")).diarize(samples[: 12 * SAMPLE_RATE])
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_clustering_a_sample_finds_the_same_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    from earshot.models.voice.pipelines import CAMPPLUS_PARAMETERS, BoundedClustering

    random = np.random.default_rng(0)
    people = random.normal(size=(3, 192))
    speakers = np.stack([random.permutation(3) for _ in range(300)])
    voices = people[speakers] + random.normal(scale=0.3, size=(300, 3, 192))
    active = np.zeros((300, 100, 3), np.float32)
    for speaker in range(3):  # each alone for a third of each window
        active[:, 33 * speaker : 33 * speaker + 33, speaker] = 1.0
    clustering = BoundedClustering(metric="cosine")
    clustering.instantiate(CAMPPLUS_PARAMETERS["clustering"])
    windows = SlidingWindowFeature(active, SlidingWindow(duration=10.0, step=2.0))
    of_all, _, _ = clustering(voices, segmentations=windows)
    monkeypatch.setattr("earshot.models.voice.pipelines.MAX_CLUSTERED", 100)
    of_some, _, _ = clustering(voices, segmentations=windows)
    same = [len(np.unique(labels[speakers == person])) for labels in (of_all, of_some) for person in range(3)]
    assert same == [1] * 6
    assert of_all.max() == of_some.max() == 2


def test_turns_are_ordered_and_exclusive_turns_disjoint(
    samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    turns, exclusive = diarized
    assert turns.start_s.is_monotonic_increasing
    assert (turns.end_s > turns.start_s).all()
    assert turns.end_s.max() <= len(samples) / 16_000
    assert (exclusive.start_s.to_numpy()[1:] >= exclusive.end_s.to_numpy()[:-1] - 1e-6).all()
    spans = list(zip(turns.turn_index, turns.start_s, turns.end_s, strict=True))
    overlapping = [any(a < end and b > start and other != index for other, a, b in spans) for index, start, end in spans]
    assert turns.overlap.tolist() == overlapping
    assert any(overlapping)


def test_given_segmentation_is_not_computed_again(
    samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    segmentation = diarizer.segment(samples)
    monkeypatch.setattr(diarizer._pipeline._segmentation, "slide", None)
    for expected, computed in zip(diarized, diarizer.diarize(samples, segmentation=segmentation), strict=True):
        pd.testing.assert_frame_equal(expected, computed)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("seconds", [5, 10, 17, 29.5])
def test_block_size_does_not_change_segmentation(samples: np.ndarray, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    diarizer, part = Models().diarizer(require_device("cpu")), samples[: round(seconds * SAMPLE_RATE)]
    whole = diarizer.segment(part).windows
    monkeypatch.setattr("earshot.models.voice.pipelines.BLOCK_WINDOWS", 4)
    blocks = diarizer.segment(part).windows
    np.testing.assert_array_equal(blocks.data, whole.data)
    assert (blocks.sliding_window[0], blocks.sliding_window[9]) == (whole.sliding_window[0], whole.sliding_window[9])


def test_segmentation_distinguishes_one_speaker_from_two(home: object, samples: np.ndarray) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    two = diarizer.segment(samples).second_speaker_s
    assert two.shape == (11,)
    assert np.median(two) > 1.0
    assert two.max() < 10.0
    one = diarizer.segment(clip_samples(NARRATOR)[: 15 * SAMPLE_RATE]).second_speaker_s
    assert one.tolist() == [0.0] * len(one)
    assert home


def test_silence_has_no_turns(home: object) -> None:
    diarizer = Models().diarizer(require_device("cpu"))
    turns, exclusive = diarizer.one_speaker(diarizer.segment(np.zeros(SAMPLE_RATE, dtype=np.float32)), 1.0)
    assert turns.empty
    assert exclusive.empty
    assert home


def test_diarizer_and_encoder_give_the_same_vectors(home: object, samples: np.ndarray) -> None:
    spans = [(110_000, 118_000), (133_000, 157_000), (230_000, 430_000)]
    device = require_device("cpu")
    vectors = Models().diarizer(device).voices(samples, spans)
    np.testing.assert_allclose(vectors, Models().voice_encoder(device).encode(samples, spans), atol=2e-3)
    assert home


def test_voice_vector_is_independent_of_its_batch(home: object, samples: np.ndarray) -> None:
    encoder = Models().voice_encoder(require_device("cpu"))
    spans = [(110_000, 118_000), (133_000, 157_000), (167_000, 235_000), (230_000, 430_000), (300_000, 300_100)]
    together = encoder.encode(samples, spans)
    alone = np.concatenate([encoder.encode(samples, [span]) for span in spans])
    np.testing.assert_allclose(together, alone, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert encoder.encode(samples, []).shape == (0, encoder.dimension)
    assert home
