"""The waveform of a recording as a picture."""

import numpy as np
import pytest

from earshot.common.audio import SAMPLE_RATE
from earshot.sources.media.pictures import INLINE_CHARACTERS
from earshot.sources.media.waveform import BAR, BARS, COLOUR, GAP, HEIGHT, waveform_picture
from tests.support.pictures import pixels_of


def noise(seconds: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=int(seconds * SAMPLE_RATE)) * 3000).astype(np.int16)


def test_half_as_loud_is_half_as_high() -> None:
    samples = noise(20.0)
    samples[len(samples) // 2 :] //= 2
    pixels = pixels_of(waveform_picture(samples))
    assert pixels.shape == (HEIGHT, BARS * (BAR + GAP), 4)
    heights = pixels[:, :: BAR + GAP, 3].astype(bool).sum(axis=0)
    loud, soft = heights[: BARS // 2].mean(), heights[BARS // 2 :].mean()
    assert loud == pytest.approx(HEIGHT, rel=0.1)
    assert soft == pytest.approx(HEIGHT / 2, rel=0.1)
    assert tuple(pixels[-1, 0][:3]) == COLOUR


@pytest.mark.parametrize("seconds", [30.0, 600.0])
def test_picture_is_shown_in_place(seconds: float) -> None:
    samples = noise(seconds)
    changing = samples * np.repeat(np.random.default_rng(1).uniform(0, 1, 100), len(samples) // 100)
    assert len(waveform_picture(changing)) < INLINE_CHARACTERS


@pytest.mark.parametrize("samples", [np.zeros(SAMPLE_RATE, dtype=np.int16), np.zeros(0, dtype=np.int16), noise(0.001)])
def test_silence_and_very_short_sound(samples: np.ndarray) -> None:
    assert pixels_of(waveform_picture(samples))[:, :, 3].any() == samples.any()
