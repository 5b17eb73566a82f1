"""Voice embeddings: a unit vector for a stretch of speech.

Turns differ in length, and a batch needs one length. Each turn is cut into equal pieces of at most 8 s, each piece repeated
to the next of four lengths (as CAM++'s authors pad short speech), pieces of one length batched, and a turn's vector is the
mean over its pieces, scaled to length one. A turn's vector therefore does not depend on which other turns were embedded
with it, which is what lets it be cached.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from resources.batching import fitting
from resources.campplus import load_campplus
from resources.decoding import SAMPLE_RATE
from resources.gpu import Device, assert_placed, execution_of
from resources.measurement import Execution, Tally
from resources.models import Model

PIECE_LENGTHS = tuple(seconds * SAMPLE_RATE for seconds in (1, 2, 4, 8))
BATCH_SIZE = {"cuda": 64, "cpu": 8}


class VoiceEncoder:
    """A loaded speaker model, on the device that was asked for."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        self._model = _load(model, folder).to(torch.device(device.kind)).eval()
        self._description, self._device = model, device
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        quiet = np.zeros(PIECE_LENGTHS[-1], dtype=np.float32)
        self.encode(quiet, [(0, length) for length in PIECE_LENGTHS])  # warm-up

    @property
    def execution(self) -> Execution:
        """Where and how the model runs, read from its parameters now."""
        return execution_of(self._model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def encode(self, samples: np.ndarray, spans: Sequence[tuple[int, int]], tally: Tally | None = None) -> np.ndarray:
        """A row of length one for each span (first sample, one past the last): float32, (spans, dimension).

        Pieces and model calls are counted in `tally`.
        """
        counted = tally or Tally()
        return fitting(lambda batch: self._encode(samples, spans, batch, counted), self.execution.batch_size, counted)

    def _encode(self, samples: np.ndarray, spans: Sequence[tuple[int, int]], batch_size: int, tally: Tally) -> np.ndarray:
        sums = np.zeros((len(spans), self.dimension), dtype=np.float32)
        for length, members in _by_length(spans).items():
            for first in range(0, len(members), batch_size):
                batch = members[first : first + batch_size]
                waveforms = np.stack([np.resize(samples[start:stop], length) for _, start, stop in batch])
                tally.count(len(waveforms))
                for (span, _, _), vector in zip(batch, self._vectors(waveforms), strict=True):
                    sums[span] += vector
        return _unit(sums)

    def _vectors(self, waveforms: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(waveforms)[:, None].to(next(self._model.parameters()).device)
            return _unit(self._model(batch).cpu().numpy())


def _by_length(spans: Sequence[tuple[int, int]]) -> dict[int, list[tuple[int, int, int]]]:
    """Pieces as (span, start, stop), grouped by the length they are repeated to."""
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
        assert loaded is not None  # None is for a repository that could not be fetched; this is a folder
        return loaded
    return load_campplus(folder)
