"""The text encoder of universal-sentence-encoder-multilingual 3, on any device.

The network does not know the order of a text's words, except within five tokens, and has no limit of its length. Earshot gives
it one, so that a long text takes no more memory and time than a passage.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from earshot.models.device import Device, assert_placed, compute_threads, execution_info
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.registry import Model
from earshot.models.text.sentencepiece import read_tokenizer
from earshot.models.text.text_encoder import SPECIAL_TOKENS, TextEncoder
from earshot.models.text.universal_network import PADDING, UniversalNetwork
from earshot.models.text.universal_weights import read_weights

BATCH_SIZE = {"cuda": 256, "cpu": 16}
WINDOW = 254  # more than a passage of 20 s has, and as many as `bundled`'s text model reads


class UniversalEncoder(TextEncoder):
    """A network with its tokenizer, which is read from the model's folder."""

    window = WINDOW

    def __init__(self, model: Model, folder: Path, network: UniversalNetwork, device: Device) -> None:
        self._description, self._network, self._device = model, network, device
        self.dimension = model.dimension
        assert_placed(model.name, device.kind, network.device)
        self._tokenizer = read_tokenizer(folder / "sp.model")
        self.encode(["Warm-up."])

    def _execution(self) -> ExecutionInfo:
        network, batch_size = self._network, BATCH_SIZE[self._device.kind]
        return execution_info(network.device, network.compute_type, self._description, self._device, batch_size)

    def _embed(self, texts: Sequence[str], batch_size: int, tally: CallCounter) -> np.ndarray:
        tokens = [_cut(encoding.ids, self.window + SPECIAL_TOKENS) for encoding in self._tokenizer.encode_batch(list(texts))]
        longest_first = np.argsort([-len(ids) for ids in tokens], kind="stable")
        calls = compute_threads() if self._device.kind == "cpu" else 1
        size = min(batch_size, -(-len(texts) // calls))  # so that few texts, too, keep every core busy
        batches = [longest_first[first : first + size] for first in range(0, len(texts), size)]
        for batch in batches:
            tally.count(len(batch))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        vectors[longest_first] = self._network.vectors([_padded([tokens[index] for index in batch]) for batch in batches])
        return vectors

    def token_counts(self, words: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(words), add_special_tokens=False)]


def load_universal(model: Model, folder: Path, device: Device) -> UniversalEncoder:
    """The encoder from its verified folder: by ONNX Runtime on the CPU, by torch on a GPU."""
    weights = read_weights(folder / "weights.npz")
    if device.kind == "cpu":
        from earshot.models.text.universal_onnx import OnnxUniversal

        return UniversalEncoder(model, folder, OnnxUniversal(weights), device)
    from earshot.models.text.universal_torch import TorchUniversal

    return UniversalEncoder(model, folder, TorchUniversal(weights, device.kind), device)


def _cut(tokens: list[int], most: int) -> list[int]:
    """At most so many, the last one included."""
    return tokens if len(tokens) <= most else [*tokens[: most - 1], tokens[-1]]


def _padded(tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """int64, (texts, tokens)."""
    lengths = np.array([len(ids) for ids in tokens])
    padded = np.full((len(tokens), lengths.max()), PADDING, dtype=np.int64)
    padded[np.arange(lengths.max()) < lengths[:, np.newaxis]] = np.concatenate(tokens)
    return padded
