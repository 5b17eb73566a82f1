"""Speaker frames: runs CAM++ up to its pooling once over a whole recording, for all windows.

A diarization needs voices in windows of ten seconds, one every two seconds. pyannote's pipeline runs the network on each, so it
processes every second of the recording five times (ten times at pyannote's own step). Here the network runs once: the recording
is cut into overlapping blocks as long as a window. A block's first and last EDGE frames come from its neighbours, because the
network has less context there. A window's frames are then taken from those of the recording.

The result differs slightly from running the network on the window alone: a frame's context is its block, not the window, and
the filter bank is centred over the block. The effect on the diarization is measured (docs/measurements/performance.md).

Windows come in order of time, and frames that no later window needs are dropped: an hour would take 370 MB.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from earshot.models.networks.filter_bank import FRAME_SAMPLES, frame_count
from earshot.models.networks.interface import SpeakerNetwork

EDGE = 75  # frames (1.5 s) at each end of a block that its neighbours provide; fewer cause more errors


def window_frames(
    network: SpeakerNetwork, samples: np.ndarray, starts: Sequence[int], window: int, batch_size: int
) -> Iterator[Any]:
    """(features, frames) of each window of `window` samples; windows overlap, and `starts` (samples) are in order."""
    length = frame_count(window)
    blocks = _blocks(network, samples, starts[-1] // FRAME_SAMPLES + length, window, batch_size)
    kept, first = next(blocks), 0
    for start in starts:
        kept, first = kept[:, start // FRAME_SAMPLES - first :], start // FRAME_SAMPLES
        while kept.shape[1] < length:
            kept = network.arrays.concatenate([kept, next(blocks)], axis=1)
        yield kept[:, :length]


def _blocks(network: SpeakerNetwork, samples: np.ndarray, frames: int, window: int, batch_size: int) -> Iterator[Any]:
    """At least the first `frames` frames of the recording, block by block."""
    length = frame_count(window)
    hop = length - 2 * EDGE  # frames from the start of one block to the next
    count = 1 + max(0, math.ceil((frames - length) / hop))
    for first in range(0, count, batch_size):
        numbers = range(first, min(first + batch_size, count))
        waveforms = padded(samples, [number * hop * FRAME_SAMPLES for number in numbers], window)
        for number, block in zip(numbers, network.frames(waveforms), strict=True):
            yield block[:, 0 if number == 0 else EDGE : length if number == count - 1 else length - EDGE]


def padded(samples: np.ndarray, starts: Sequence[int], length: int) -> np.ndarray:
    """(starts, length) samples from each of these on, with silence after the recording's end."""
    waveforms = np.zeros((len(starts), length), dtype=np.float32)
    for waveform, start in zip(waveforms, starts, strict=True):
        part = samples[start : start + length]
        waveform[: len(part)] = part
    return waveforms
