"""universal-sentence-encoder-multilingual 3 on the CPU, as an ONNX graph.

A text's tokens and the n-grams around them are normalised, summed, and divided by the root of their number; four dense layers
make a vector of that. The weights are named as in universal_weights.py. universal_torch.py has the same network.
"""

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np

from earshot.models.networks.graph_builder import GraphBuilder
from earshot.models.networks.onnx_graph import Graph, OnnxNetwork, threads
from earshot.models.text.universal_network import PADDING, UniversalNetwork
from earshot.models.text.universal_weights import CHANNELS, ORDERS, before


class OnnxUniversal(OnnxNetwork, UniversalNetwork):
    """The network in single precision. Its table stays in bytes and out of the graph, whose making copies it several times."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._table, self._scale, self._lowest = (weights[name] for name in ("table", "scale", "lowest"))
        self.graph = Graph(universal_graph(weights))

    def vectors(self, batches: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(threads().map(self._forward, batches)))

    def _forward(self, tokens: np.ndarray) -> np.ndarray:
        mask = (tokens != PADDING).astype(np.float32)[..., np.newaxis]
        pieces = self._table[tokens] * self._scale[tokens] + self._lowest[tokens]  # of padding, any row
        return self.graph(pieces, mask)


def universal_graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """Rows of the table, (texts, tokens, dimension), and `mask`, 1.0 for each token that is there, to (texts, dimension)."""
    graph = GraphBuilder(weights)
    ngrams = _ngrams(graph, _normalised(graph, "project_norm", graph.linear("project", "input")), "mask")
    features = graph.add("Mul", _normalised(graph, "norm", graph.add("Concat", "input", ngrams, axis=2)), "mask")
    result = _dense(graph, _pooled(graph, features, "mask"))
    shape = ["texts", "tokens", weights["table"].shape[1]]
    return graph.finished(result, shape, ["texts", "dimension"], mask=["texts", "tokens", 1])


def _normalised(graph: GraphBuilder, layer: str, source: str) -> str:
    return graph.layer_norm(layer, source, float(graph.value("epsilon")))


def _ngrams(graph: GraphBuilder, source: str, mask: str) -> str:
    """Two convolutions for each order, which see nothing beyond a text's ends."""
    inside = graph.add("Transpose", mask, perm=[0, 2, 1])
    channels = graph.add("Mul", graph.add("Transpose", source, perm=[0, 2, 1]), inside)
    orders = []
    for order, first in zip(ORDERS, count(0, CHANNELS)):
        part = graph.add("Slice", channels, *(graph.integers(value) for value in (first, first + CHANNELS, 1)))
        once = graph.add("Mul", _residual(graph, f"ngrams{order}.1", order, part), inside)
        orders.append(_residual(graph, f"ngrams{order}.2", order, once))
    return graph.add("Transpose", graph.add("Concat", *orders, axis=1), perm=[0, 2, 1])


def _residual(graph: GraphBuilder, layer: str, order: int, source: str) -> str:
    found = graph.conv(layer, source, pads=[before(order), order - 1 - before(order)])
    return graph.add("Add", graph.add("Relu", found), source)


def _pooled(graph: GraphBuilder, features: str, mask: str) -> str:
    """The sum over the tokens of a linear layer, divided by the root of their number."""
    total, tokens = (graph.add("ReduceSum", each, graph.integers(1), keepdims=0) for each in (features, mask))
    root = graph.add("Sqrt", tokens)
    product = graph.add("Div", graph.product("pool", total), root)
    return graph.add("Add", product, graph.add("Mul", root, graph.weight("pool.bias")))


def _dense(graph: GraphBuilder, pooled: str) -> str:
    first = graph.add("Relu", graph.product("dense0", pooled))
    second = graph.add("Relu", graph.product("dense1", graph.add("Concat", pooled, first, axis=1)))
    third = graph.add("Relu", graph.product("dense2", second))
    return graph.add("Tanh", graph.product("dense3", graph.add("Concat", second, third, axis=1)))
