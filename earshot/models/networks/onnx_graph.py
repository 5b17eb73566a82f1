"""A network as a graph that ONNX Runtime runs on the CPU.

A session with one thread, called from as many threads as there are cores, is faster than one call on all cores
(docs/measurements/performance.md).
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import onnxruntime

from earshot.common.lack_of_memory import is_lack_of_memory
from earshot.models.device import compute_threads
from earshot.models.networks.interface import Network

DEVICES = {"CPUExecutionProvider": "cpu"}
PRECISIONS = {"tensor(float)": "float32"}


class Graph(Network):
    """A loaded graph with one output."""

    def __init__(self, serialized: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(serialized, options, providers=list(DEVICES))
        self._inputs = [given.name for given in self._session.get_inputs()]
        [self._output] = self._session.get_outputs()

    @property
    def device(self) -> str:
        provider = self._session.get_providers()[0]
        return DEVICES.get(provider, provider)

    @property
    def compute_type(self) -> str:
        precision = str(self._output.type)
        return PRECISIONS.get(precision, precision)

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        try:
            [output] = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as error:
            if is_lack_of_memory(error):  # ONNX Runtime has no class for it
                raise MemoryError(str(error)) from error
            raise
        return np.asarray(output)


class OnnxNetwork(Network):
    """A network whose placement is that of its main graph."""

    graph: Graph

    @property
    def device(self) -> str:
        return self.graph.device

    @property
    def compute_type(self) -> str:
        return self.graph.compute_type


@cache
def threads() -> ThreadPoolExecutor:
    """As many threads as the networks may compute with, shared by all of them."""
    return ThreadPoolExecutor(compute_threads(), thread_name_prefix="networks")
