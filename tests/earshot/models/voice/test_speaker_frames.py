"""Frames of windows cut from those of a whole recording. Each frame of the network here is its first sample."""

import numpy as np
import pytest

from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.networks.filter_bank import FRAME_SAMPLES, frame_count
from earshot.models.networks.onnx_networks import OnnxSpeaker
from earshot.models.voice.speaker_frames import EDGE, window_frames

WINDOW = 160_000


class FirstSamples(OnnxSpeaker):
    """Returns the first sample of each frame; counts its input blocks."""

    def __init__(self) -> None:
        self.blocks = 0

    def frames(self, waveforms: np.ndarray) -> list[np.ndarray]:
        self.blocks += len(waveforms)
        return list(waveforms[:, np.newaxis, ::FRAME_SAMPLES][..., : frame_count(waveforms.shape[-1])])


@pytest.mark.parametrize("seconds", [3.0, 10.0, 10.02, 19.0, 21.3, 95.0])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_window_has_frames_of_its_samples(seconds: float, batch_size: int) -> None:
    samples = np.arange(1.0, round(seconds * 16_000) + 1, dtype=np.float32)
    starts = list(range(0, max(1, len(samples) - WINDOW + 32_000), 32_000))
    windows = list(window_frames(FirstSamples(), samples, starts, WINDOW, batch_size))
    assert len(windows) == len(starts)
    padded = np.pad(samples, (0, 2 * WINDOW))
    for start, frames in zip(starts, windows, strict=True):
        np.testing.assert_array_equal(frames[0], padded[start : start + WINDOW : FRAME_SAMPLES][: frame_count(WINDOW)])


def test_recording_is_passed_once() -> None:
    hour, network = np.zeros(3600 * 16_000, dtype=np.float32), FirstSamples()
    for _ in window_frames(network, hour, range(0, len(hour) - WINDOW, 16_000), WINDOW, 4):
        pass
    assert network.blocks == pytest.approx(3600 / (10 - 2 * EDGE * FRAME_SAMPLES / 16_000), rel=0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_frame_count_matches_the_network() -> None:
    network = Models().voice_encoder(require_device("cpu"))._network
    for samples in (16_000, 40_000, WINDOW):
        [frames] = network.frames(np.zeros((1, samples), dtype=np.float32))
        assert frames.shape[-1] == frame_count(samples)
