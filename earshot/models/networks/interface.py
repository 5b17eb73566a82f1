"""What diarization and voice embeddings ask of their networks, whatever runs them.

On the CPU, ONNX Runtime runs the bundled networks (onnx_networks.py); on a GPU, and for the models of the hub, torch does
(torch_networks.py). Both give the same results (tests/earshot/models/networks/test_onnx_networks.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from earshot.models.voice.segmentation import Frames

Item = TypeVar("Item")
Result = TypeVar("Result")


class Network(ABC):
    """A loaded network."""

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it runs, `cpu` or `cuda`, read from the loaded network."""

    @property
    @abstractmethod
    def compute_type(self) -> str:
        """The precision in which it computes, read from the loaded network."""


class SegmentationNetwork(Network):
    """Tells who of at most three people speaks when in a window of `window_s`."""

    window_s: float
    frames: Frames

    @abstractmethod
    def speakers(self, windows: np.ndarray) -> np.ndarray:
        """(windows, samples) to (windows, frames, speakers), 1.0 where a speaker is active."""

    def spread(self, call: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`map`, at once on all cores if the network profits from it."""
        return map(call, items)

    def exact(self) -> AbstractContextManager[None]:
        """A block in which the device rounds no more than its precision says."""
        return nullcontext()


class SpeakerNetwork(Network):
    """Makes a vector of the voice in some samples, in two steps: frames, and a vector of all or some of them.

    Frames are arrays of `arrays`, numpy or torch, and stay on the network's device.
    """

    arrays: ModuleType

    @abstractmethod
    def frames(self, waveforms: np.ndarray) -> Any:
        """(waveforms, samples) to (waveforms, features, frames), one frame per FRAME_SAMPLES."""

    @abstractmethod
    def vectors(self, frames: Sequence[Any], active: np.ndarray | None = None) -> np.ndarray:
        """Vectors of these (features, frames), one each, or one for each speaker in `active` (windows, speakers, frames).

        `active` is 0 or 1, and may have another number of frames.
        """
