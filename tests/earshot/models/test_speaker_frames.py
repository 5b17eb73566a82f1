"""Windows' frames, taken from those of a whole recording, with a network whose frames name the samples they come from."""

from typing import Any

import pytest
import torch

from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.voice.campplus import FRAME_SAMPLES, frame_count
from earshot.models.voice.speaker_frames import EDGE, window_frames

WINDOW = 160_000


class Network:
    """Each frame is its first sample; counts the blocks it was given."""

    def __init__(self) -> None:
        self.blocks = 0

    def __call__(self, blocks: torch.Tensor) -> torch.Tensor:
        self.blocks += len(blocks)
        return blocks[:, :, ::FRAME_SAMPLES][..., : frame_count(blocks.shape[-1])]


@pytest.mark.parametrize("seconds", [3.0, 10.0, 10.02, 19.0, 21.3, 95.0])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_each_window_has_the_frames_of_its_own_samples_and_silence_beyond_the_end(seconds: float, batch_size: int) -> None:
    waveform = torch.arange(1.0, round(seconds * 16_000) + 1)[None]
    starts = list(range(0, max(1, waveform.shape[1] - WINDOW + 32_000), 32_000))
    found = list(window_frames(Network(), waveform, starts, WINDOW, batch_size))
    assert len(found) == len(starts)
    endless = torch.nn.functional.pad(waveform, (0, 2 * WINDOW))
    for start, frames in zip(starts, found, strict=True):
        expected = endless[:, start : start + WINDOW : FRAME_SAMPLES][:, : frame_count(WINDOW)]
        torch.testing.assert_close(frames, expected)


def test_the_recording_passes_once_whatever_the_windows() -> None:
    hour = torch.zeros(1, 3600 * 16_000)
    network = Network()
    for _ in window_frames(network, hour, range(0, hour.shape[1] - WINDOW, 16_000), WINDOW, 4):
        pass
    assert network.blocks == pytest.approx(3600 / (10 - 2 * EDGE * FRAME_SAMPLES / 16_000), rel=0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_a_frame_count_is_that_of_the_network() -> None:
    network: Any = Models().voice_encoder(require_device("cpu"))._model
    for samples in (16_000, 40_000, WINDOW):
        with torch.inference_mode():
            assert network.forward_frames(torch.zeros(1, 1, samples)).shape[-1] == frame_count(samples)
