"""Text embeddings: a unit vector for a passage or a question. The common part of the encoders.

On a GPU, and for models not measured with eight-bit weights, sentence-transformers runs the network
(earshot/models/text/sentence_encoder.py); on the CPU, ctranslate2 runs it in eight-bit integers, without torch
(earshot/models/text/int8_encoder.py). The multilingual model has its own encoder (earshot/models/text/universal_encoder.py).
Texts are batched by length, the longest first.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import with_oom_fallback

SPECIAL_TOKENS = 2  # the start and end marks that every text gets


class TextEncoder(ABC):
    """A loaded text model, on the requested device.

    `window` is how many tokens the model reads. It ignores the rest, so passages are cut to fit, by `token_counts()`.
    """

    dimension: int
    window: int

    def warm_up_for_passages(self) -> None:
        """Make the first batches of passages as fast as later ones; does nothing if they already are."""
        return

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the model runs, read from the loaded network."""
        return self._execution()

    def encode(self, texts: Sequence[str], tally: CallCounter | None = None) -> np.ndarray:
        """A unit vector for each text: float32, (texts, dimension). `tally` counts texts and model calls."""
        counted = tally or CallCounter()
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)

        longest_first = np.argsort([-len(text) for text in texts])  # the order of sentence-transformers
        ordered = [texts[int(index)] for index in longest_first]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        vectors[longest_first] = with_oom_fallback(
            lambda batch: self._embed(ordered, batch, counted), self.execution.batch_size, counted
        )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @abstractmethod
    def token_counts(self, words: Sequence[str]) -> list[int]:
        """The number of tokens of each word alone; a text of these words has at most their sum."""

    @abstractmethod
    def _embed(self, texts: Sequence[str], batch_size: int, tally: CallCounter) -> np.ndarray:
        """Vectors, not normalised, in the order of the texts; at most `batch_size` texts per model call."""

    @abstractmethod
    def _execution(self) -> ExecutionInfo: ...
