"""The text encoder for the CPU, in eight-bit integers: tokenizers tokenizes, ctranslate2 runs the network, numpy pools.

At first use, the model's verified files are converted into a folder next to them (int8_conversion.py). The vectors differ
slightly from single precision; search was measured to be as good with them (docs/measurements/performance.md,
tests/earshot/models/test_text_encoder.py).

Each core runs its own small batches, of texts with about as many tokens: in one call on all cores, some of them wait.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from earshot.common.atomic_files import atomic_folder
from earshot.common.errors import ModelUnavailable
from earshot.models.device import Device, compute_threads, execution_info
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.registry import Model
from earshot.models.text.text_encoder import SPECIAL_TOKENS, TextEncoder

BATCH_SIZE = 16  # 8 are as fast; 4 and 32 are slower
COMPUTE_TYPE = "int8"
MEAN_OF_TOKENS = "pooling_mode_mean_tokens"


class Int8Encoder(TextEncoder):
    """A sentence-transformers model that pools by the mean of its tokens. Raises ModelUnavailable for any other."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        _require_mean_pooling(model, folder)
        self._description, self._device = model, device
        self.dimension = model.dimension
        self.window = int(_read(folder / "sentence_bert_config.json")["max_seq_length"]) - SPECIAL_TOKENS
        self._words, self._texts = _tokenizer(folder), _tokenizer(folder)
        self._texts.enable_truncation(self.window + SPECIAL_TOKENS)
        self._cores = compute_threads()
        self._threads = ThreadPoolExecutor(self._cores, thread_name_prefix="text-encoder")
        self._network = ctranslate2.Encoder(
            str(_converted(folder)), device="cpu", compute_type=COMPUTE_TYPE, inter_threads=self._cores, intra_threads=1
        )
        self.encode(["Warm-up."])

    def _execution(self) -> ExecutionInfo:
        network = self._network
        return execution_info(network.device, network.compute_type, self._description, self._device, BATCH_SIZE)

    def _embed(self, texts: Sequence[str], batch_size: int, tally: CallCounter) -> np.ndarray:
        tokens = [encoding.ids for encoding in self._texts.encode_batch(list(texts))]
        longest_first = np.argsort([-len(ids) for ids in tokens], kind="stable")
        size = min(batch_size, -(-len(texts) // self._cores))  # so that few texts, too, keep every core busy
        batches = [longest_first[first : first + size] for first in range(0, len(texts), size)]
        for batch in batches:
            tally.count(len(batch))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        computed = self._threads.map(lambda batch: self._forward([tokens[index] for index in batch]), batches)
        vectors[longest_first] = np.concatenate(list(computed))
        return vectors

    def _forward(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """The mean of each text's token vectors: float32, (texts, dimension)."""
        lengths = np.array([len(ids) for ids in tokens], dtype=np.int32)
        mask = np.arange(lengths.max()) < lengths[:, np.newaxis]
        padded = np.zeros(mask.shape, dtype=np.int32)  # the network reads no token beyond a text's length
        padded[mask] = np.concatenate(tokens)
        states = self._network.forward_batch(*map(ctranslate2.StorageView.from_array, (padded, lengths))).last_hidden_state
        return np.einsum("ntd,nt->nd", np.array(states), mask.astype(np.float32)) / lengths[:, np.newaxis]

    def token_counts(self, words: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._words.encode_batch(list(words), add_special_tokens=False)]


def _tokenizer(folder: Path) -> Tokenizer:
    """The model's tokenizer, without truncation and padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _require_mean_pooling(model: Model, folder: Path) -> None:
    pooling = _read(folder / "1_Pooling" / "config.json")
    modes = {name for name, chosen in pooling.items() if name.startswith("pooling_mode_") and chosen}
    if modes != {MEAN_OF_TOKENS}:
        raise ModelUnavailable(
            f"{model.name} pools by {', '.join(sorted(modes))}; the eight-bit encoder supports only {MEAN_OF_TOKENS}.",
            "Set `int8` to False for this model in earshot/models/registry.py.",
        )


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def _converted(folder: Path) -> Path:
    """The converted model's folder for ctranslate2, made at first use."""
    target = folder.with_name(f"{folder.name}-{COMPUTE_TYPE}")
    if not target.exists():
        from earshot.models.text.int8_conversion import convert  # imports torch if it is installed

        with atomic_folder(target) as converted:
            convert(folder, converted, COMPUTE_TYPE)
    return target
