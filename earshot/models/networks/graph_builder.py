"""Builds an ONNX graph layer by layer, from the weights of a network that torch trained.

A layer is named as in the checkpoint; its weights are `NAME.weight`, `NAME.bias` and so on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
TORCH_GATES, ONNX_GATES = "ifgo", "iofg"  # in this order, the weights of an LSTM's gates are stacked
LEAK = 0.01  # torch's, as ONNX's


class GraphBuilder:
    """A graph with one output; its first input is `input`. Each method adds nodes, and returns the name of their result."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """One node, with attributes as ONNX defines them."""
        result = f"{operation}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, inputs, [result], **attributes))
        return result

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant(f"integers_{'_'.join(map(str, values))}", np.array(values, dtype=np.int64))

    def value(self, name: str) -> np.ndarray:
        """A weight that is not part of the graph."""
        return self._weights[name]

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def conv(self, layer: str, source: str, **attributes: Sequence[int]) -> str:
        parts = [f"{layer}.{part}" for part in ("weight", "bias") if f"{layer}.{part}" in self._weights]
        return self.add("Conv", source, *map(self.weight, parts), **attributes)

    def batch_norm(self, layer: str, source: str) -> str:
        """With the statistics of the training; without scale and offset if the layer has none."""
        mean, variance = self._weights[f"{layer}.running_mean"], self._weights[f"{layer}.running_var"]
        scale = self._weights.get(f"{layer}.weight", np.ones_like(mean))
        offset = self._weights.get(f"{layer}.bias", np.zeros_like(mean))
        parts = {"weight": scale, "bias": offset, "running_mean": mean, "running_var": variance}
        return self.add("BatchNormalization", source, *(self.constant(f"{layer}.{part}", parts[part]) for part in parts))

    def instance_norm(self, layer: str, source: str) -> str:
        return self.add("InstanceNormalization", source, self.weight(f"{layer}.weight"), self.weight(f"{layer}.bias"))

    def layer_norm(self, layer: str, source: str, epsilon: float) -> str:
        parts = map(self.weight, (f"{layer}.weight", f"{layer}.bias"))
        return self.add("LayerNormalization", source, *parts, axis=-1, epsilon=epsilon)

    def linear(self, layer: str, source: str) -> str:
        return self.add("Add", self.product(layer, source), self.weight(f"{layer}.bias"))

    def product(self, layer: str, source: str) -> str:
        """A linear layer without its bias."""
        return self.add("MatMul", source, self.constant(f"{layer}.weight", self._weights[f"{layer}.weight"].T))

    def lstm(self, layer: str, number: int, source: str) -> str:
        """(steps, batch, features) to (steps, batch, features of both directions)."""
        ends = [f"_l{number}", f"_l{number}_reverse"]
        inputs, states, before, after = (
            np.stack([_gates(self._weights[f"{layer}.{part}{end}"]) for end in ends])
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        parts = {"W": inputs, "R": states, "B": np.concatenate([before, after], axis=1)}
        found = self.add(
            "LSTM", source, *(self.constant(f"{layer}_{number}.{part}", parts[part]) for part in parts),
            hidden_size=states.shape[-1], direction="bidirectional",
        )  # fmt: skip
        return self.add("Reshape", self.add("Transpose", found, perm=[0, 2, 1, 3]), self.integers(0, 0, -1))

    def finished(
        self,
        result: str,
        input_shape: Sequence[int | str],
        output_shape: Sequence[int | str],
        **others: Sequence[int | str],
    ) -> bytes:
        """The graph whose output is `result`, serialized; names in the shapes are lengths that vary. `others` are inputs."""
        ends = {"input": input_shape, **others, "output": output_shape}
        *given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items())
        nodes = [*self._nodes, helper.make_node("Identity", [result], ["output"])]
        graph = helper.make_graph(nodes, "network", given, [made], list(self._constants.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


def _gates(weights: np.ndarray) -> np.ndarray:
    """Weights or biases of an LSTM, in ONNX's order of gates."""
    by_gate = dict(zip(TORCH_GATES, np.split(weights, len(TORCH_GATES)), strict=True))
    return np.concatenate([by_gate[gate] for gate in ONNX_GATES])
