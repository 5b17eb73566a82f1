"""Text embeddings with sentence-transformers: a unit vector for a passage or a question.

On a GPU the network runs in half precision; on the CPU, where that was measured to serve as well, in eight-bit integers by
ctranslate2 (earshot/models/text/int8_transformer.py), and in single precision elsewhere. Texts of like length go together.

Tokens are cut by the model's own tokenizer, called without transformers' wrapper, in threads ahead of the network: the wrapper
does 4,000 texts a second in one thread, and a GPU would wait for it.

`window` is how many tokens the model reads; what lies beyond is not seen, so passages are cut to fit, by `token_counts()`.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from earshot.models.device import Device, assert_placed, execution_info, execution_of_network
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import spread_sizes, with_oom_fallback
from earshot.models.registry import Model
from earshot.models.text.int8_transformer import Int8Transformer

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

BATCH_SIZE = {"cuda": 256, "cpu": 32}
WARM_UP_WORDS = (6, 14, 30, 62, 126)  # the last is more than a passage of 20 s has
SPECIAL_TOKENS = 2  # the start and end marks that every text gets


class TextEncoder:
    """A loaded sentence-transformers model, on the device that was asked for."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # it would draw across the bars of the command line
        self._model = SentenceTransformer(str(folder), device=device.kind, local_files_only=True).eval()
        self._description, self._device = model, device
        if device.kind == "cuda":
            self._model.half()
        elif model.int8:
            transformer: Any = self._model[0]
            transformer.model = Int8Transformer(folder, transformer.model.config)
        assert_placed(model.name, device.kind, self.execution.device)
        self.dimension = model.dimension
        self.window = int(self._model.max_seq_length or 512) - SPECIAL_TOKENS
        self._tokenizer = _own_tokenizer(self._model.tokenizer, self.window + SPECIAL_TOKENS)
        self.encode(["Warm-up."])
        self._warm_for_passages = device.kind != "cuda"

    def warm_up_for_passages(self) -> None:
        """Have a GPU load the kernels that passages need: others for each size of batch, 1.4 s in all. A question needs few."""
        if self._warm_for_passages:
            return
        for count in spread_sizes(BATCH_SIZE[self._device.kind]):
            for words in WARM_UP_WORDS:
                self.encode(["word " * words] * count)
        self._warm_for_passages = True

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the model runs, read from its parameters now, or as ctranslate2 says."""
        network, batch_size = self._network, BATCH_SIZE[self._device.kind]
        if isinstance(network, Int8Transformer):
            found = network.encoder
            return execution_info(found.device, found.compute_type, self._description, self._device, batch_size)
        return execution_of_network(network, self._description, self._device, batch_size)

    @property
    def _network(self) -> "torch.nn.Module":
        transformer: Any = self._model[0]
        return transformer.model

    def encode(self, texts: Sequence[str], tally: CallCounter | None = None) -> np.ndarray:
        """A row of length one for each text: float32, (texts, dimension). Texts and model calls are counted in `tally`."""
        counted = tally or CallCounter()
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)

        longest_first = np.argsort([-len(text) for text in texts])  # as sentence-transformers orders them
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        with _counting(self._model, counted):
            ordered = [texts[int(index)] for index in longest_first]
            vectors[longest_first] = with_oom_fallback(
                lambda batch: self._encode(ordered, batch), self.execution.batch_size, counted
            )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _encode(self, texts: list[str], batch_size: int) -> np.ndarray:
        """Vectors as the network gives them. They stay on the device until all are there, so that it never waits."""
        import torch

        batches = [texts[first : first + batch_size] for first in range(0, len(texts), batch_size)]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool, torch.inference_mode():
            cut = pool.map(self._features, batches)
            vectors = [self._model(_moved(features, self._model.device))["sentence_embedding"] for features in cut]
            return torch.cat(vectors).float().cpu().numpy()

    def _features(self, texts: Sequence[str]) -> "dict[str, torch.Tensor]":
        """The network's input for one batch: int64 (texts, tokens), shorter texts padded."""
        import torch

        encodings = self._tokenizer.encode_batch(list(texts))
        tokens, mask = (torch.tensor([getattr(each, name) for each in encodings]) for name in ("ids", "attention_mask"))
        features = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": torch.zeros_like(tokens)}
        return {name: features[name] for name in self._model.tokenizer.model_input_names}

    def token_counts(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word on its own; a text of these words has at most their sum."""
        if not words:
            return []
        encoded = self._model.tokenizer(list(words), add_special_tokens=False, truncation=False)
        return [len(tokens) for tokens in encoded["input_ids"]]


def _own_tokenizer(tokenizer: Any, window: int) -> Tokenizer:
    """A copy of what transformers wraps, cutting off at `window` tokens and padding to the longest of a batch."""
    own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.enable_truncation(window)
    own.enable_padding(pad_id=tokenizer.pad_token_id, pad_type_id=tokenizer.pad_token_type_id, pad_token=tokenizer.pad_token)
    return own


def _moved(features: "dict[str, torch.Tensor]", device: "torch.device") -> "dict[str, torch.Tensor]":
    return {name: values.to(device) for name, values in features.items()}


@contextmanager
def _counting(model: "SentenceTransformer", tally: CallCounter) -> Iterator[None]:
    """Count the calls of the transformer inside, with as many texts as each was given: what ran, not what was meant."""

    def count(_module: object, arguments: tuple[Any, ...]) -> None:
        tally.count(len(arguments[0]["input_ids"]))

    hook = model[0].register_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()
