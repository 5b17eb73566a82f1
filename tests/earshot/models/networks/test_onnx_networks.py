"""The networks by ONNX Runtime: equal to torch, placed where they say, and honest about memory."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.corpora.episodes import TELEPHONE, clip_samples
from earshot.common.errors import GpuUnavailable, OutOfMemory
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.networks.interface import SpeakerNetwork
from earshot.models.networks.onnx_networks import load_segmentation, load_speaker
from earshot.models.registry import CAMPPLUS, SEGMENTATION
from earshot.models.voice.voice_encoder import VoiceEncoder

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("home")]

SPANS = [(110_000, 118_000), (133_000, 157_000), (167_000, 235_000), (230_000, 430_000), (300_000, 300_100)]


@pytest.fixture(scope="module")
def by_torch(home: object) -> SpeakerNetwork:
    from earshot.models.networks import torch_networks

    assert home
    return torch_networks.TorchSpeaker(torch_networks.load_speaker(CAMPPLUS, locate(CAMPPLUS, read_settings())), "cpu")


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return (first * second).sum(axis=-1) / lengths


def test_voice_vectors_are_those_of_torch(by_torch: SpeakerNetwork) -> None:
    cpu, samples = require_device("cpu"), clip_samples(TELEPHONE)
    expected = VoiceEncoder(CAMPPLUS, by_torch, cpu).encode(samples, SPANS)
    assert _cosines(Models().voice_encoder(cpu).encode(samples, SPANS), expected).min() >= 0.9999


def test_speakers_of_windows_are_those_of_torch() -> None:
    from earshot.models.networks import torch_networks

    folder, samples = locate(SEGMENTATION, read_settings()), clip_samples(TELEPHONE)
    windows = np.stack([samples[start:][:160_000] for start in (112_000, 320_000)])
    expected = torch_networks.TorchSegmentation(torch_networks.load_segmentation(folder), "cpu").speakers(windows)
    assert (load_segmentation(folder).speakers(windows) == expected).all(axis=2).mean() >= 0.999


def test_vectors_of_some_frames_are_those_of_torch(by_torch: SpeakerNetwork) -> None:
    """Half of the frames, few, one, and none, which has its own vector."""
    ours, windows = load_speaker(locate(CAMPPLUS, read_settings())), np.stack([clip_samples(TELEPHONE)[:160_000]] * 2)
    active = np.zeros((2, 4, 589), dtype=np.float32)
    active[0, 0, 100:400] = active[1, 0, ::2] = active[:, 1, 300:320] = active[:, 2, 350:351] = 1.0
    expected, found = (each.vectors(list(each.frames(windows)), active) for each in (by_torch, ours))
    assert found.shape == (2, 4, 192)
    assert _cosines(found, expected).min() >= 0.9999


def test_placement_is_read_from_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    network: Any = load_segmentation(locate(SEGMENTATION, read_settings()))
    assert (network.device, network.compute_type) == ("cpu", "float32")
    elsewhere = SimpleNamespace(get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    speaker: Any = load_speaker(locate(CAMPPLUS, read_settings()))
    monkeypatch.setattr(speaker.graph, "_session", elsewhere)
    with pytest.raises(GpuUnavailable, match="CUDAExecutionProvider"):
        VoiceEncoder(CAMPPLUS, speaker, require_device("cpu"))


def test_lack_of_memory_is_told_apart_from_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Any = Models().voice_encoder(require_device("cpu"))

    def session(message: str) -> SimpleNamespace:
        def run(*_: Any) -> None:
            raise Exception(message)

        return SimpleNamespace(run=run, get_providers=lambda: ["CPUExecutionProvider"])

    samples = np.zeros(16_000, dtype=np.float32)
    monkeypatch.setattr(encoder._network.graph, "_session", session("Non-zero status code: std::bad_alloc"))
    with pytest.raises(OutOfMemory, match="one input at a time"):
        encoder.encode(samples, [(0, 16_000)])
    monkeypatch.setattr(encoder._network.graph, "_session", session("Invalid input name"))
    with pytest.raises(Exception, match="Invalid input name"):
        encoder.encode(samples, [(0, 16_000)])


def test_tf32_is_off_for_the_block_alone() -> None:
    import torch

    from earshot.models.networks import torch_networks

    network = torch_networks.TorchSegmentation(torch_networks.load_segmentation(locate(SEGMENTATION, read_settings())), "cpu")
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with network.exact():
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before
