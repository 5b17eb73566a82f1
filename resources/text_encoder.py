"""Text embeddings with sentence-transformers: a unit vector for a passage or a question.

`window` is how many tokens the model reads; what lies beyond is not seen, so passages are cut to fit, by `token_counts()`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.batching import fitting
from resources.gpu import Device, assert_placed, execution_of
from resources.measurement import Execution, Tally
from resources.models import Model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH_SIZE = {"cuda": 256, "cpu": 32}
SPECIAL_TOKENS = 2  # the start and end marks that every text gets


class TextEncoder:
    """A loaded sentence-transformers model, on the device that was asked for."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # it would draw across the bars of the command line
        self._model = SentenceTransformer(str(folder), device=device.kind, local_files_only=True)
        self._description, self._device = model, device
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        self.window = int(self._model.max_seq_length or 512) - SPECIAL_TOKENS
        self.encode(["Warm-up."])

    @property
    def execution(self) -> Execution:
        """Where and how the model runs, read from its parameters now."""
        return execution_of(self._model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def encode(self, texts: Sequence[str], tally: Tally | None = None) -> np.ndarray:
        """A row of length one for each text: float32, (texts, dimension). Texts and model calls are counted in `tally`."""
        counted = tally or Tally()
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)

        def encode_all(batch_size: int) -> np.ndarray:
            return self._model.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)

        with _counting(self._model, counted):
            return fitting(encode_all, self.execution.batch_size, counted)

    def token_counts(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word on its own; a text of these words has at most their sum."""
        if not words:
            return []
        encoded = self._model.tokenizer(list(words), add_special_tokens=False, truncation=False)
        return [len(tokens) for tokens in encoded["input_ids"]]


@contextmanager
def _counting(model: "SentenceTransformer", tally: Tally) -> Iterator[None]:
    """Count the calls of the transformer inside, with as many texts as each was given: what ran, not what was meant."""

    def count(_module: object, arguments: tuple[Any, ...]) -> None:
        tally.count(len(arguments[0]["input_ids"]))

    hook = model[0].register_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()
