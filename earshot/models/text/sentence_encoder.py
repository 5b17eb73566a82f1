"""The text encoder with sentence-transformers: in half precision on a GPU, in single precision on the CPU.

The model's tokenizer runs in threads ahead of the network, without transformers' wrapper, which manages 4,000 texts a second in
one thread and would make a GPU wait.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers.utils.logging import disable_progress_bar

from earshot.models.device import Device, assert_placed, execution_of_network
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import spread_sizes
from earshot.models.registry import Model
from earshot.models.text.text_encoder import SPECIAL_TOKENS, TextEncoder

BATCH_SIZE = {"cuda": 256, "cpu": 32}
WARM_UP_WORDS = (6, 14, 30, 62, 126)  # a passage of 20 s has fewer than the last


class SentenceEncoder(TextEncoder):
    """A sentence-transformers model."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        disable_progress_bar()  # it would overwrite the command line's own
        self._model = SentenceTransformer(str(folder), device=device.kind, local_files_only=True).eval()
        self._description, self._device = model, device
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="tokenizer")
        if device.kind == "cuda":
            self._model.half()
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        self.window = int(self._model.max_seq_length or 512) - SPECIAL_TOKENS
        self._tokenizer = _own_tokenizer(self._model.tokenizer, self.window + SPECIAL_TOKENS)
        self.encode(["Warm-up."])
        self._warm_for_passages = device.kind != "cuda"

    def warm_up_for_passages(self) -> None:
        """Make a GPU load the kernels for passages, which differ by batch size: 1.4 s in all. A question needs few of them."""
        if self._warm_for_passages:
            return
        for count in spread_sizes(BATCH_SIZE[self._device.kind]):
            for words in WARM_UP_WORDS:
                self.encode(["word " * words] * count)
        self._warm_for_passages = True

    def _execution(self) -> ExecutionInfo:
        transformer: Any = self._model[0]
        return execution_of_network(transformer.model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def _embed(self, texts: Sequence[str], batch_size: int, tally: CallCounter) -> np.ndarray:
        """Keeps the vectors on the device until all are computed, so that it never waits."""
        batches = [texts[first : first + batch_size] for first in range(0, len(texts), batch_size)]
        with torch.inference_mode(), counting_calls(self._model, tally):
            tokenized = self._threads.map(self._features, batches)
            vectors = [self._model(_moved(features, self._model.device))["sentence_embedding"] for features in tokenized]
            return torch.cat(vectors).float().cpu().numpy()

    def _features(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """The network's input for one batch: int64 (texts, tokens), shorter texts padded."""
        encodings = self._tokenizer.encode_batch(list(texts))
        tokens, mask = (torch.tensor([getattr(text, name) for text in encodings]) for name in ("ids", "attention_mask"))
        features = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": torch.zeros_like(tokens)}
        return {name: features[name] for name in self._model.tokenizer.model_input_names}

    def token_counts(self, words: Sequence[str]) -> list[int]:
        if not words:
            return []
        encoded = self._model.tokenizer(list(words), add_special_tokens=False, truncation=False)
        return [len(tokens) for tokens in encoded["input_ids"]]


def _own_tokenizer(tokenizer: Any, window: int) -> Tokenizer:
    """A copy of the tokenizer inside transformers' wrapper, truncating to `window` tokens and padding to a batch's longest."""
    own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.enable_truncation(window)
    own.enable_padding(pad_id=tokenizer.pad_token_id, pad_type_id=tokenizer.pad_token_type_id, pad_token=tokenizer.pad_token)
    return own


def _moved(features: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: values.to(device) for name, values in features.items()}


@contextmanager
def counting_calls(model: SentenceTransformer, tally: CallCounter) -> Iterator[None]:
    """Count the transformer's real calls and the texts in each during the block."""

    def count(_module: object, arguments: tuple[Any, ...]) -> None:
        tally.count(len(arguments[0]["input_ids"]))

    hook = model[0].register_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()
