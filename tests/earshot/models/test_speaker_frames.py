"""Frames of windows cut from those of a whole recording. Each frame of the network here is its first sample."""

from typing import Any

import pytest
import torch

from earshot.models.cache import Models
from earshot.models.device import require_device

WINDOW = 160_000


class Network:
    """Returns the first sample of each frame; counts its input blocks."""

    def __init__(self) -> None:
        self.blocks = 0

    def __call__(self, blocks: torch.Tensor) -> torch.Tensor:
        from earshot.models.voice.campplus import FRAME_SAMPLES, frame_count

        self.blocks += len(blocks)
        return blocks[:, :, ::FRAME_SAMPLES][..., : frame_count(blocks.shape[-1])]


@pytest.mark.parametrize("seconds", [3.0, 10.0, 10.02, 19.0, 21.3, 95.0])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_window_has_frames_of_its_samples(seconds: float, batch_size: int) -> None:
    from earshot.models.voice.campplus import FRAME_SAMPLES, frame_count
    from earshot.models.voice.speaker_frames import window_frames

    waveform = torch.arange(1.0, round(seconds * 16_000) + 1)[None]
    starts = list(range(0, max(1, waveform.shape[1] - WINDOW + 32_000), 32_000))
    windows = list(window_frames(Network(), waveform, starts, WINDOW, batch_size))
    assert len(windows) == len(starts)
    padded = torch.nn.functional.pad(waveform, (0, 2 * WINDOW))
    for start, frames in zip(starts, windows, strict=True):
        expected = padded[:, start : start + WINDOW : FRAME_SAMPLES][:, : frame_count(WINDOW)]
        torch.testing.assert_close(frames, expected)


def test_recording_is_passed_once() -> None:
    from earshot.models.voice.campplus import FRAME_SAMPLES
    from earshot.models.voice.speaker_frames import EDGE, window_frames

    hour = torch.zeros(1, 3600 * 16_000)
    network = Network()
    for _ in window_frames(network, hour, range(0, hour.shape[1] - WINDOW, 16_000), WINDOW, 4):
        pass
    assert network.blocks == pytest.approx(3600 / (10 - 2 * EDGE * FRAME_SAMPLES / 16_000), rel=0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_frame_count_matches_the_network() -> None:
    from earshot.models.voice.campplus import frame_count

    network: Any = Models().voice_encoder(require_device("cpu"))._model
    for samples in (16_000, 40_000, WINDOW):
        with torch.inference_mode():
            assert network.forward_frames(torch.zeros(1, 1, samples)).shape[-1] == frame_count(samples)
