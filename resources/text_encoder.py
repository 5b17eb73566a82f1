"""Text embeddings with sentence-transformers: a unit vector for a passage or a question.

On a GPU the network runs in half precision; on the CPU, where that was measured to serve as well, in eight-bit integers by
ctranslate2 (resources/int8_transformer.py), and in single precision elsewhere. sentence-transformers sorts texts by length.

`window` is how many tokens the model reads; what lies beyond is not seen, so passages are cut to fit, by `token_counts()`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.batching import fitting
from resources.gpu import Device, assert_placed, execution_of, execution_on
from resources.int8_transformer import Int8Transformer
from resources.measurement import Execution, Tally
from resources.models import Model

if TYPE_CHECKING:
    import torch
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
        if device.kind == "cuda":
            self._model.half()
        elif model.int8:
            transformer: Any = self._model[0]
            transformer.model = Int8Transformer(folder, transformer.model.config)
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        self.window = int(self._model.max_seq_length or 512) - SPECIAL_TOKENS
        self.encode(["Warm-up."])

    @property
    def execution(self) -> Execution:
        """Where and how the model runs, read from its parameters now, or as ctranslate2 says."""
        network, batch_size = self._network, BATCH_SIZE[self._device.kind]
        if isinstance(network, Int8Transformer):
            found = network.encoder
            return execution_on(found.device, found.compute_type, self._description, self._device, batch_size)
        return execution_of(network, self._description, self._device, batch_size)

    @property
    def _network(self) -> "torch.nn.Module":
        transformer: Any = self._model[0]
        return transformer.model

    def encode(self, texts: Sequence[str], tally: Tally | None = None) -> np.ndarray:
        """A row of length one for each text: float32, (texts, dimension). Texts and model calls are counted in `tally`."""
        counted = tally or Tally()
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)

        def encode_all(batch_size: int) -> np.ndarray:
            return self._model.encode(list(texts), batch_size=batch_size, show_progress_bar=False)

        with _counting(self._model, counted):
            vectors = fitting(encode_all, self.execution.batch_size, counted).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

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
