"""Kaldi's filter bank in numpy: the input of CAM++, 80 mel bands every 10 ms.

The numbers are those of `torchaudio.compliance.kaldi.fbank`, which does the same on a GPU (campplus.py), without its seconds
of imports.
"""

from functools import cache

import numpy as np

from earshot.common.audio import SAMPLE_RATE

MEL_BANDS = 80
BANK_SAMPLES, BANK_HOP = 400, 160  # 25 ms every 10 ms
FRAME_SAMPLES = 2 * BANK_HOP  # CAM++ keeps every second frame

POINTS = 512  # of the Fourier transform: BANK_SAMPLES, rounded up to a power of two
LOWEST_HZ = 20.0
EMPHASIS = np.float32(0.97)
FRAMES_AT_ONCE = 256  # what fits a processor's cache
LEAST_ENERGY = np.finfo(np.float32).eps


def features(samples: np.ndarray) -> np.ndarray:
    """Logarithms of the energy in each band, less its mean over time: float32, (frames, mel bands)."""
    emphasised = samples.astype(np.float32)
    emphasised[1:] -= EMPHASIS * samples[:-1]
    plain, frames = (np.lib.stride_tricks.sliding_window_view(each, BANK_SAMPLES)[::BANK_HOP] for each in (samples, emphasised))
    parts = (slice(first, first + FRAMES_AT_ONCE) for first in range(0, len(frames), FRAMES_AT_ONCE))
    levels = np.log(np.maximum(np.concatenate([_energies(plain[part], frames[part]) for part in parts]), LEAST_ENERGY))
    return levels - levels.mean(axis=0)


def _energies(plain: np.ndarray, emphasised: np.ndarray) -> np.ndarray:
    """Kaldi subtracts the mean of a frame before the emphasis, which leaves a small share of it."""
    offsets = (1 - EMPHASIS) * plain.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft((emphasised - offsets) * _window(), POINTS)
    return np.square(spectrum.view(np.float32)) @ _bands()


@cache
def _window() -> np.ndarray:
    """Kaldi's "povey" window: Hann's, a little wider."""
    return (np.hanning(BANK_SAMPLES) ** 0.85).astype(np.float32)


@cache
def _bands() -> np.ndarray:
    """How much each frequency counts in each band: triangles of equal width on the mel scale.

    (frequencies twice, mel bands), for the squares of the real and of the imaginary part; nothing for the highest frequency.
    """
    edges = np.linspace(_mel(LOWEST_HZ), _mel(SAMPLE_RATE / 2), MEL_BANDS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    mels = _mel(np.arange(POINTS // 2) * SAMPLE_RATE / POINTS)[:, np.newaxis]
    rising, falling = (mels - left) / (centre - left), (right - mels) / (right - centre)
    triangles = np.pad(np.maximum(0.0, np.minimum(rising, falling)), ((0, 1), (0, 0)))
    return triangles.repeat(2, axis=0).astype(np.float32)


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def frame_count(samples: int) -> int:
    """How many frames CAM++ makes of this many samples."""
    return (bank_count(samples) + 1) // 2


def bank_count(samples: int) -> int:
    """How many frames the filter bank makes of this many samples."""
    return (samples - BANK_SAMPLES) // BANK_HOP + 1
