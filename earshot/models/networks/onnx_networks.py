"""The bundled networks on the CPU, by ONNX Runtime: two to three times as fast as torch, and without its imports.

The graphs are built from the verified weights at each load, in a fifth of a second.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from earshot.common.audio import SAMPLE_RATE
from earshot.models.networks import filter_bank
from earshot.models.networks.checkpoint import read_checkpoint
from earshot.models.networks.interface import Item, Result, SegmentationNetwork, SpeakerNetwork
from earshot.models.networks.onnx_graph import Graph, OnnxNetwork, threads
from earshot.models.networks.segmentation_graph import segmentation_graph
from earshot.models.networks.speaker_graphs import frames_graph, vectors_graph
from earshot.models.voice.segmentation import Frames

# Who speaks in each class of segmentation-3.0: no one, one of three, or two of them.
CLASSES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=np.float32)


class OnnxSegmentation(OnnxNetwork, SegmentationNetwork):
    """segmentation-3.0."""

    window_s = 10.0
    frames = Frames(duration_s=991 / SAMPLE_RATE, step_s=270 / SAMPLE_RATE)

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.graph = Graph(segmentation_graph(weights))

    def speakers(self, windows: np.ndarray) -> np.ndarray:
        return CLASSES[self.graph(windows[:, np.newaxis]).argmax(axis=2)]

    def spread(self, call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return threads().map(call, items)


class OnnxSpeaker(OnnxNetwork, SpeakerNetwork):
    """CAM++."""

    arrays = np

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.graph, self._to_vectors = Graph(frames_graph(weights)), Graph(vectors_graph(weights))

    def frames(self, waveforms: np.ndarray) -> list[np.ndarray]:
        return list(threads().map(self._frames, waveforms))

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        return self.graph(filter_bank.features(samples)[np.newaxis])[0]

    def vectors(self, frames: Sequence[Any], active: np.ndarray | None = None) -> np.ndarray:
        if active is None:
            return self._to_vectors(np.stack([_pool(each) for each in frames]))
        chosen = active[..., _nearest(active.shape[-1], frames[0].shape[-1])] > 0
        pooled = [_pool(each[:, of_speaker]) for each, speakers in zip(frames, chosen, strict=True) for of_speaker in speakers]
        return self._to_vectors(np.stack(pooled)).reshape(*active.shape[:2], -1)


def load_segmentation(folder: Path) -> OnnxSegmentation:
    """segmentation-3.0 from its verified folder."""
    return OnnxSegmentation(read_checkpoint(folder / "pytorch_model.bin"))


def load_speaker(folder: Path) -> OnnxSpeaker:
    """CAM++ from its verified folder."""
    return OnnxSpeaker(read_checkpoint(folder / "campplus_cn_en_common.pt"))


def _pool(frames: np.ndarray) -> np.ndarray:
    """Mean and standard deviation over time; zeros where there is none."""
    count = frames.shape[1]
    mean = frames.sum(axis=1) / max(1, count)
    square = np.square(frames - mean[:, np.newaxis]).sum(axis=1)
    return np.concatenate([mean, np.sqrt(square / max(1, count - 1))])


def _nearest(given: int, wanted: int) -> np.ndarray:
    """Which of the given frames is nearest to each of the wanted ones, as torch's `interpolate` has it."""
    return np.floor(np.arange(wanted, dtype=np.float32) * np.float32(given / wanted)).astype(int)
