"""Voice embeddings: a unit vector for a span of speech.

Spans differ in length, but a batch needs one length. Each span is cut into equal pieces of at most 8 s; each piece is repeated
to fill the next of four lengths (as CAM++'s authors pad short speech); pieces of one length are batched. A span's vector is the
mean over its pieces, scaled to length one. It does not depend on the other spans in the batch, so it can be cached.

This procedure is the *preparation* of a voice space (earshot/speakers/tables/voice_space.py); a change of it must change its
name there.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from earshot.common.audio import SAMPLE_RATE
from earshot.models.device import Device, assert_placed, execution_info
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.networks.interface import SpeakerNetwork
from earshot.models.oom_batching import spread_sizes, with_oom_fallback
from earshot.models.registry import Model

PIECE_LENGTHS = tuple(seconds * SAMPLE_RATE for seconds in (1, 2, 4, 8))
BATCH_SIZE = {"cuda": 64, "cpu": 8}


class VoiceEncoder:
    """A loaded speaker model, on the requested device."""

    def __init__(self, model: Model, network: SpeakerNetwork, device: Device) -> None:
        self._network, self._description, self._device = network, model, device
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        if device.kind == "cuda":
            self._warm_up()

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the model runs, read from the loaded network."""
        network, planned = self._network, BATCH_SIZE[self._device.kind]
        return execution_info(network.device, network.compute_type, self._description, self._device, planned)

    def _warm_up(self) -> None:
        """Encode silence of each length in several batch sizes, since a GPU loads different kernels for each."""
        quiet = np.zeros(PIECE_LENGTHS[-1], dtype=np.float32)
        for pieces in spread_sizes(BATCH_SIZE["cuda"]):
            self.encode(quiet, [(0, length) for length in PIECE_LENGTHS for _ in range(pieces)])

    def encode(self, samples: np.ndarray, spans: Sequence[tuple[int, int]], tally: CallCounter | None = None) -> np.ndarray:
        """A unit vector for each span (first sample, one past the last): float32, (spans, dimension).

        `tally` counts pieces and model calls.
        """
        counted = tally or CallCounter()
        return with_oom_fallback(
            lambda batch: embed(self._network, samples, spans, self.dimension, batch, counted),
            self.execution.batch_size,
            counted,
        )


def embed(
    network: SpeakerNetwork,
    samples: np.ndarray,
    spans: Sequence[tuple[int, int]],
    dimension: int,
    batch_size: int,
    tally: CallCounter,
) -> np.ndarray:
    """A unit vector for each span, by a loaded speaker network; every vector of a voice space is made here."""
    sums = np.zeros((len(spans), dimension), dtype=np.float32)
    for length, members in _by_length(spans).items():
        for first in range(0, len(members), batch_size):
            batch = members[first : first + batch_size]
            waveforms = np.stack([np.resize(samples[start:stop], length) for _, start, stop in batch])
            tally.count(len(waveforms))
            for (span, _, _), vector in zip(batch, _unit(network.vectors(network.frames(waveforms))), strict=True):
                sums[span] += vector
    return _unit(sums)


def _by_length(spans: Sequence[tuple[int, int]]) -> dict[int, list[tuple[int, int, int]]]:
    """Pieces as (span, start, stop), grouped by the length that each is repeated to."""
    pieces = defaultdict(list)
    for index, (first, last) in enumerate(spans):
        count = max(1, math.ceil((last - first) / PIECE_LENGTHS[-1]))
        edges = np.linspace(first, last, count + 1).round().astype(int)
        for start, stop in pairwise(edges.tolist()):
            length = next(length for length in PIECE_LENGTHS if stop - start <= length)
            pieces[length].append((index, start, stop))
    return pieces


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
