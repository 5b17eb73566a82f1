"""Text embeddings with sentence-transformers: a unit vector for a passage or a question.

`window` is how many tokens the model reads; what lies beyond is not seen, so passages are cut to fit, by `token_counts()`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resources.gpu import Device, assert_placed
from resources.measurement import Execution
from resources.models import Model

BATCH_SIZE = {"cuda": 256, "cpu": 32}
SPECIAL_TOKENS = 2  # the start and end marks that every text gets


class TextEncoder:
    """A loaded sentence-transformers model, on the device that was asked for."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # it would draw across the bars of the command line
        self._model = SentenceTransformer(str(folder), device=device.kind, local_files_only=True)
        found = next(self._model.parameters())
        assert_placed(model.name, device.kind, found.device.type)
        self.dimension = model.dimension
        self.window = int(self._model.max_seq_length or 512) - SPECIAL_TOKENS
        self.execution = Execution(
            device=found.device.type,
            device_name=device.name,
            model=model.name,
            model_revision=model.revision,
            compute_type=str(found.dtype).removeprefix("torch."),
            batch_size=BATCH_SIZE[device.kind],
        )

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """A row of length one for each text: float32, (texts, dimension)."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._model.encode(
            list(texts), batch_size=self.execution.batch_size, normalize_embeddings=True, show_progress_bar=False
        )

    def token_counts(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word on its own; a text of these words has at most their sum."""
        if not words:
            return []
        encoded = self._model.tokenizer(list(words), add_special_tokens=False, truncation=False)
        return [len(tokens) for tokens in encoded["input_ids"]]
