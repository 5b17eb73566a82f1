"""Speaker frames: what CAM++ makes of a whole recording before it pools, computed once.

A diarization asks for the voices in windows of ten seconds, of which one begins every two. pyannote's pipeline runs the network
on each, so that every second of the recording passes through it five times (ten times at pyannote's own step). Here it passes
once: the recording is cut into blocks as long as a window, whose first and last EDGE frames are left to their neighbours,
since there the network sees less than it would in the middle; a window's frames are then read from those of the recording.

That is not quite what the network would give for the window alone: a frame sees the block around it, not the window, and the
filter bank is centred over the block. What this does to the diarization is measured (docs/measurements/performance.md).

A window's frames are given in order of time, and what no later window needs is forgotten: an hour would be 370 MB.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.nn.functional import pad

from earshot.models.voice.campplus import FRAME_SAMPLES, frame_count

EDGE = 75  # frames, a second and a half: what a block leaves to the ones beside it; less makes more errors


def window_frames(
    network: Callable[[torch.Tensor], torch.Tensor],
    waveform: torch.Tensor,
    starts: Sequence[int],
    window: int,
    batch_size: int,
) -> Iterator[torch.Tensor]:
    """(features, frames) of each window of `window` samples; windows overlap, and come in order of their first samples.

    `network` makes (blocks, features, frames) of (blocks, 1, samples). `waveform` is (1, samples), silence beyond its end.
    """
    length = frame_count(window)
    blocks = _blocks(network, waveform, starts[-1] // FRAME_SAMPLES + length, window, batch_size)
    kept, first = next(blocks), 0
    for start in starts:
        kept, first = kept[:, start // FRAME_SAMPLES - first :], start // FRAME_SAMPLES
        while kept.shape[1] < length:
            kept = torch.cat([kept, next(blocks)], dim=1)
        yield kept[:, :length]


def _blocks(
    network: Callable[[torch.Tensor], torch.Tensor], waveform: torch.Tensor, frames: int, window: int, batch_size: int
) -> Iterator[torch.Tensor]:
    """So many frames of the recording from its beginning, piece by piece."""
    length = frame_count(window)
    hop = length - 2 * EDGE  # frames from the beginning of one block to that of the next
    count = 1 + max(0, math.ceil((frames - length) / hop))
    for first in range(0, count, batch_size):
        numbers = range(first, min(first + batch_size, count))
        samples = torch.stack([_padded(waveform, number * hop * FRAME_SAMPLES, window) for number in numbers])
        for number, block in zip(numbers, network(samples), strict=True):
            yield block[:, 0 if number == 0 else EDGE : length if number == count - 1 else length - EDGE]


def _padded(waveform: torch.Tensor, start: int, length: int) -> torch.Tensor:
    samples = waveform[:, start : start + length]
    return pad(samples, (0, length - samples.shape[1]))
