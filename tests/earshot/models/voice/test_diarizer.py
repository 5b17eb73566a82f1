"""Diarization and voices with the real models: the output is pyannote's own, or nearly; ONNX Runtime and torch agree."""

import subprocess
import sys
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature

from bench.corpora.episodes import EPISODES, TELEPHONE, Clip, clip_samples, episode_samples
from bench.corpora.known_speech import telephone
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.measurement import CallCounter
from earshot.models.registry import CAMPPLUS, SEGMENTATION
from earshot.models.voice.clustering import LARGE, THRESHOLD, cluster
from earshot.models.voice.diarizer import Diarizer
from earshot.models.voice.reconstruction import turns
from earshot.transcripts.evaluation.speakers import diarization_errors, turns_of

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


@pytest.fixture(scope="module")
def networks(home: object) -> tuple[Any, Any]:
    """The bundled networks by torch."""
    from earshot.models.networks.torch_networks import load_segmentation, load_speaker

    assert home
    folders = [locate(model, read_settings()) for model in (SEGMENTATION, CAMPPLUS)]
    return load_segmentation(folders[0]), load_speaker(CAMPPLUS, folders[1])


def _file(samples: np.ndarray) -> dict[str, Any]:
    import torch

    return {"waveform": torch.from_numpy(samples.copy())[None], "sample_rate": SAMPLE_RATE, "uri": "telephone"}


def _tracks(annotation: Any) -> list[Any]:
    return list(annotation.itertracks(yield_label=True))


def _pipeline(networks: tuple[Any, Any], **options: Any) -> Any:
    """pyannote's pipeline with our networks and thresholds."""
    from bench.contenders.stock_pipeline import stock_pipeline

    return stock_pipeline(*networks, LARGE, THRESHOLD, segmentation_batch_size=4, embedding_batch_size=4, **options)


@pytest.fixture(scope="module")
def stock(networks: tuple[Any, Any], samples: np.ndarray) -> Any:
    """The output of pyannote's own pipeline, at its own step, for the telephone call."""
    return _pipeline(networks)(_file(samples))


def test_one_pass_matches_the_stock_pipeline(stock: Any, networks: tuple[Any, Any], samples: np.ndarray) -> None:
    from earshot.models.voice.community import OnePassDiarization

    output = _pipeline(networks, kind=OnePassDiarization)(_file(samples))
    assert _tracks(output.speaker_diarization) == _tracks(stock.speaker_diarization)
    np.testing.assert_allclose(output.speaker_embeddings, stock.speaker_embeddings, atol=1e-3)


def test_turns_are_nearly_those_of_the_stock_pipeline(
    stock: Any, samples: np.ndarray, diarized: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    error = diarization_errors(stock.speaker_diarization, turns_of(diarized[0]), len(samples) / SAMPLE_RATE).rate
    assert error is not None
    assert error < 0.05  # windows are twice as far apart, and share their frames


@pytest.fixture(scope="module")
def recordings(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Two people, four in turn, one, noise, silence, and less than a window."""
    two_men = episode_samples(EPISODES[2])
    random, silence = np.random.default_rng(0), np.zeros(3 * SAMPLE_RATE, dtype=np.float32)
    return {
        "two": samples,
        "four": np.concatenate([samples[6 * SAMPLE_RATE : 22 * SAMPLE_RATE], silence, two_men[: 16 * SAMPLE_RATE]]),
        "one": clip_samples(NARRATOR)[: 21 * SAMPLE_RATE],
        "noise": random.normal(scale=0.01, size=20 * SAMPLE_RATE).astype(np.float32),
        "silence": silence,
        "short": samples[7 * SAMPLE_RATE : 10 * SAMPLE_RATE],
    }


HINTS = [(1, None), (1, 1), (2, 2), (1, 2), (3, None), (4, 4), (1, 3)]


@pytest.mark.filterwarnings("ignore:.*detected number of speakers", "ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("name", ["two", "four", "one", "noise", "silence", "short"])
def test_turns_are_those_of_pyannote(networks: tuple[Any, Any], recordings: dict[str, np.ndarray], name: str) -> None:
    """pyannote counts, clusters and reconstructs what our networks heard, as we do where no stretch contradicts the result."""
    diarizer, heard = Models().diarizer(require_device("cpu")), recordings[name]
    segmentation = diarizer.segment(heard)
    no_stretches = np.zeros((len(segmentation.active), 0, segmentation.active.shape[1]), dtype=bool)
    vectors = diarizer._vectors(heard, segmentation, no_stretches, lambda _: None, 4, CallCounter())
    windows = SlidingWindow(duration=10.0, step=diarizer.step_s)
    pipeline = _pipeline(networks)
    pipeline.get_segmentations = lambda *_, **__: SlidingWindowFeature(segmentation.active.copy(), windows)
    pipeline.get_embeddings = lambda *_, **__: vectors.copy()
    for least, most in HINTS:
        output = pipeline(_file(heard), min_speakers=least, max_speakers=most)
        if len(output.speaker_diarization.labels()) < least:
            continue  # we look for smaller clusters then
        ours = turns(segmentation, cluster(vectors, segmentation, least, most), most)
        for spans, annotation in zip(ours, (output.speaker_diarization, output.exclusive_speaker_diarization), strict=True):
            assert sorted(spans) == sorted((segment.start, segment.end, who) for segment, _, who in _tracks(annotation))


@pytest.mark.parametrize("name", ["two", "four", "one", "noise"])
def test_onnx_runtime_and_torch_give_the_same_turns(
    networks: tuple[Any, Any], recordings: dict[str, np.ndarray], name: str
) -> None:
    from earshot.models.networks.torch_networks import TorchSegmentation, TorchSpeaker

    cpu, heard = require_device("cpu"), recordings[name]
    by_torch = Diarizer(SEGMENTATION, TorchSegmentation(networks[0], "cpu"), CAMPPLUS, TorchSpeaker(networks[1], "cpu"), cpu)
    expected, found = (each.diarize(heard)[0] for each in (by_torch, Models().diarizer(cpu)))
    assert len(expected) > 0 or name == "noise"
    error = diarization_errors(turns_of(expected), turns_of(found), len(heard) / SAMPLE_RATE).rate
    assert (error or 0.0) < 0.002


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
    monkeypatch.setattr(diarizer, "_segment", None)
    for expected, computed in zip(diarized, diarizer.diarize(samples, segmentation=segmentation), strict=True):
        pd.testing.assert_frame_equal(expected, computed)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("seconds", "windows"), [(5, 1), (10, 1), (10.001, 2), (12, 2), (17, 5), (29.5, 11)])
def test_batch_size_does_not_change_segmentation(samples: np.ndarray, seconds: float, windows: int) -> None:
    diarizer, part = Models().diarizer(require_device("cpu")), samples[: round(seconds * SAMPLE_RATE)]
    whole = diarizer._segment(part, 4).active
    assert whole.shape == (windows, 589, 3)
    np.testing.assert_array_equal(diarizer._segment(part, 1).active, whole)


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


def test_diarizing_on_the_cpu_needs_no_torch(home: object) -> None:
    program = (
        "import sys\nfrom bench.corpora.episodes import TELEPHONE, clip_samples\n"
        "from earshot.models.cache import Models\nfrom earshot.models.device import require_device\n"
        "samples, device = clip_samples(TELEPHONE), require_device('cpu')\n"
        "print(Models().diarizer(device).diarize(samples)[0].local_speaker.nunique())\n"
        "print(Models().voice_encoder(device).encode(samples, [(100_000, 200_000)]).shape)\n"
        "sys.exit(bool({'torch', 'pyannote.audio', 'pyannote.core', 'transformers'} & sys.modules.keys()))"
    )
    assert home
    Models().diarizer(require_device("cpu"))  # exported, once
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (result.returncode, result.stdout) == (0, "2\n(1, 192)\n"), result.stderr
