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
from pathlib import Path

import numpy as np
import torch

from earshot.common.audio import SAMPLE_RATE
from earshot.models.device import Device, assert_placed, execution_of_network
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import spread_sizes, with_oom_fallback
from earshot.models.registry import Model
from earshot.models.voice.campplus import load_campplus

PIECE_LENGTHS = tuple(seconds * SAMPLE_RATE for seconds in (1, 2, 4, 8))
BATCH_SIZE = {"cuda": 64, "cpu": 8}


class VoiceEncoder:
    """A loaded speaker model, on the requested device."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        self._model = _load(model, folder).to(torch.device(device.kind)).eval()
        self._description, self._device = model, device
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        self._warm_up()

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the model runs, read from its parameters."""
        return execution_of_network(self._model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def _warm_up(self) -> None:
        """Encode silence of each length; on a GPU in several batch sizes, since it loads different kernels for each."""
        quiet = np.zeros(PIECE_LENGTHS[-1], dtype=np.float32)
        for pieces in spread_sizes(BATCH_SIZE[self._device.kind]) if self._device.kind == "cuda" else [1]:
            self.encode(quiet, [(0, length) for length in PIECE_LENGTHS for _ in range(pieces)])

    def encode(self, samples: np.ndarray, spans: Sequence[tuple[int, int]], tally: CallCounter | None = None) -> np.ndarray:
        """A unit vector for each span (first sample, one past the last): float32, (spans, dimension).

        `tally` counts pieces and model calls.
        """
        counted = tally or CallCounter()
        return with_oom_fallback(
            lambda batch: embed(self._model, samples, spans, self.dimension, batch, counted), self.execution.batch_size, counted
        )


def embed(
    network: torch.nn.Module,
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
            for (span, _, _), vector in zip(batch, _vectors(network, waveforms), strict=True):
                sums[span] += vector
    return _unit(sums)


def _vectors(network: torch.nn.Module, waveforms: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        batch = torch.from_numpy(waveforms)[:, None].to(next(network.parameters()).device)
        return _unit(network(batch).cpu().numpy())


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


def _load(model: Model, folder: Path) -> torch.nn.Module:
    if model.repository:
        from pyannote.audio import Model as PyannoteModel

        loaded = PyannoteModel.from_pretrained(str(folder / "embedding"))
        assert loaded is not None  # None means a failed download; this is a folder
        return loaded
    return load_campplus(folder)
