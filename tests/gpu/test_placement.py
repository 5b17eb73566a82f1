"""Each model on the real device: its placement, its precision, and the same results as on the CPU."""

from difflib import SequenceMatcher

import numpy as np
import pytest

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.models.cache import Models
from earshot.models.device import Device, require_device
from earshot.models.registry import USE_MULTILINGUAL

LOADERS = {"transcriber": "float16", "diarizer": "float32", "voice_encoder": "float32", "text_encoder": "float16"}


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return clip_samples(TELEPHONE)


@pytest.mark.parametrize(("loader", "compute_type"), LOADERS.items())
def test_model_is_placed_on_the_device(cuda: Device, models: Models, loader: str, compute_type: str) -> None:
    execution = getattr(models, loader)(cuda).execution
    assert (execution.device_asked, execution.device, execution.compute_type) == ("cuda", "cuda", compute_type)
    assert execution.device_name == cuda.name


def test_words_match_the_cpu(cuda: Device, models: Models, samples: np.ndarray) -> None:
    here, there = (
        models.transcriber(device).transcribe(samples).words.text.str.lower().tolist()
        for device in (cuda, require_device("cpu"))
    )
    same = sum(block.size for block in SequenceMatcher(None, here, there, autojunk=False).get_matching_blocks())
    assert same >= 0.95 * max(len(here), len(there))


def test_turns_match_the_cpu(cuda: Device, models: Models, samples: np.ndarray) -> None:
    here, there = (models.diarizer(device).diarize(samples)[0] for device in (cuda, require_device("cpu")))
    assert here.local_speaker.tolist() == there.local_speaker.tolist()
    assert np.abs(here[["start_s", "end_s"]].to_numpy() - there[["start_s", "end_s"]].to_numpy()).max() <= 0.1


def test_voices_match_the_cpu(cuda: Device, models: Models, samples: np.ndarray) -> None:
    spans = [(0, 48_000), (48_000, 64_000), (64_000, 320_000)]
    here, there = (models.voice_encoder(device).encode(samples, spans) for device in (cuda, require_device("cpu")))
    assert (here * there).sum(axis=1).min() >= 0.999


def test_text_vectors_match_the_cpu(cuda: Device, models: Models) -> None:
    texts = [f"Passage {index} is about {topic}." for index, topic in enumerate(("cats", "wine", "the moon", "tax law"))]
    vectors = models.text_encoder(cuda).encode(texts)
    there = models.text_encoder(require_device("cpu")).encode(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-3)
    assert (vectors * there).sum(axis=1).min() >= 0.98  # eight bits there


def test_multilingual_text_vectors_match_the_cpu(cuda: Device, models: Models) -> None:
    texts = [f"{text} " * times for times in (1, 7) for text in ("Wer bezahlte die Brücke?", "橋の費用", "🎧", "the moon")]
    encoder = models.text_encoder(cuda, USE_MULTILINGUAL)
    assert (encoder.execution.device, encoder.execution.compute_type) == ("cuda", "float32")
    there = models.text_encoder(require_device("cpu"), USE_MULTILINGUAL).encode(texts)
    assert (encoder.encode(texts) * there).sum(axis=1).min() >= 0.999
