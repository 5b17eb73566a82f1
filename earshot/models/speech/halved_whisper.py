"""Whisper on the CPU: each batch is computed in two halves at once.

While all cores share a step of one half, the other fills the pauses in which one core computes alone, such as those of the beam
search: a batch of eight windows takes a fifth less time (docs/measurements/performance.md). What is read in a window does not
depend on the others of its batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper

from earshot.models.networks.onnx_graph import threads
from earshot.models.speech.batched_pipeline import EncodedWhisper

HALVES = 2


@dataclass(frozen=True)
class Halves:
    """The encoder's output of a batch, in as many parts as were computed at once."""

    parts: tuple[StorageView, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole: windows, frames, dimensions."""
        return sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:]

    def cut(self, windows: Sequence[Any]) -> list[Sequence[Any]]:
        """What belongs to the windows of each part."""
        ends = accumulate((part.shape[0] for part in self.parts), initial=0)
        return [windows[start:end] for start, end in pairwise(ends)]


class HalvedWhisper(EncodedWhisper):
    """faster-whisper's model on the CPU, with `model` computing each batch in halves."""

    def __init__(self, folder: str, **options: Any) -> None:
        super().__init__(folder, num_workers=HALVES, **options)
        self.model: Any = _HalvedModel(self.model)

    def encode(self, features: Any) -> Any:
        if isinstance(features, Halves):
            return features
        parts = np.array_split(features, min(HALVES, len(features)))
        return Halves(tuple(self.model.at_once(super().encode, parts)))


class _HalvedModel:
    """ctranslate2's model, for the encoder's output in halves. Everything else is the model's."""

    def __init__(self, model: Whisper) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def at_once(self, call: Callable[..., Any], *parts: Sequence[Any]) -> Iterator[Any]:
        """The results of the call for each part; a single one needs no thread."""
        return (map if len(parts[0]) == 1 else threads().map)(call, *parts)

    def detect_language(self, encoded: Halves) -> list[Any]:
        return list(chain.from_iterable(self.at_once(self._model.detect_language, encoded.parts)))

    def generate(self, encoded: Halves, prompts: Sequence[Any], **options: Any) -> list[Any]:
        def generate(part: StorageView, own: Sequence[Any]) -> list[Any]:
            return self._model.generate(part, own, **options)

        return list(chain.from_iterable(self.at_once(generate, encoded.parts, encoded.cut(prompts))))

    def align(
        self, encoded: Halves, start: Sequence[int], texts: Sequence[Any], frames: Sequence[int], **options: Any
    ) -> list[Any]:
        def align(part: StorageView, own: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
            return self._model.align(part, start, own, lengths, **options)

        cuts = [encoded.cut(windows) for windows in (texts, frames)]
        return list(chain.from_iterable(self.at_once(align, encoded.parts, *cuts)))
