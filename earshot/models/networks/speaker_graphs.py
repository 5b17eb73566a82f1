"""CAM++ as two ONNX graphs: from mel bands to the frames that are pooled, and from pooled frames to a vector.

The network is that of campplus.py, for which torch runs the same layers.
"""

from collections.abc import Mapping

import numpy as np

from earshot.models.networks.filter_bank import MEL_BANDS
from earshot.models.networks.graph_builder import GraphBuilder

BLOCKS = {1: (12, 1), 2: (24, 2), 3: (16, 2)}  # how many layers each block has, and their dilation
CHANNELS = 32  # of the pictures that the head makes
CONTEXT = 100  # frames whose mean is a layer's local context


def frames_graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """(waveforms, banks, mel bands) to (waveforms, features, frames)."""
    graph = GraphBuilder(weights)
    frames = graph.conv("xvector.tdnn.linear", _head(graph, "input"), strides=[2], pads=[2, 2])
    frames = _active(graph, "xvector.tdnn.nonlinear.batchnorm", frames)
    segments = _segments(graph, frames)
    for block, (layers, dilation) in BLOCKS.items():
        for layer in range(1, layers + 1):
            new = _dense(graph, f"xvector.block{block}.tdnnd{layer}", frames, segments, dilation)
            frames = graph.add("Concat", frames, new, axis=1)
        name = f"xvector.transit{block}"
        frames = graph.conv(f"{name}.linear", _active(graph, f"{name}.nonlinear.batchnorm", frames))
    result = _active(graph, "xvector.out_nonlinear.batchnorm", frames)
    return graph.finished(result, ["waveforms", "banks", MEL_BANDS], ["waveforms", "features", "frames"])


def vectors_graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """(vectors, features) to (vectors, dimension)."""
    graph = GraphBuilder(weights)
    dense = graph.conv("xvector.dense.linear", graph.add("Unsqueeze", "input", graph.integers(2)))
    result = graph.add("Squeeze", _active(graph, "xvector.dense.nonlinear.batchnorm", dense), graph.integers(2))
    return graph.finished(result, ["vectors", "features"], ["vectors", "dimension"])


def _active(graph: GraphBuilder, norm: str, source: str) -> str:
    return graph.add("Relu", graph.batch_norm(norm, source))


def _head(graph: GraphBuilder, banks: str) -> str:
    """Two-dimensional convolutions: (waveforms, banks, mel bands) to (waveforms, features, banks)."""
    picture = graph.add("Unsqueeze", graph.add("Transpose", banks, perm=[0, 2, 1]), graph.integers(1))
    picture = _active(graph, "head.bn1", _picture(graph, "head.conv1", picture))
    for layer in ("head.layer1", "head.layer2"):
        picture = _residual(graph, f"{layer}.0", picture, step=2)
        picture = _residual(graph, f"{layer}.1", picture, step=1)
    picture = _active(graph, "head.bn2", _picture(graph, "head.conv2", picture, step=2))
    return graph.add("Reshape", picture, graph.integers(0, CHANNELS * MEL_BANDS // 8, -1))


def _picture(graph: GraphBuilder, layer: str, source: str, step: int = 1) -> str:
    """A convolution of three by three; `step` is that from one mel band to the next."""
    return graph.conv(layer, source, strides=[step, 1], pads=[1, 1, 1, 1])


def _residual(graph: GraphBuilder, layer: str, source: str, step: int) -> str:
    first = _active(graph, f"{layer}.bn1", _picture(graph, f"{layer}.conv1", source, step))
    second = graph.batch_norm(f"{layer}.bn2", _picture(graph, f"{layer}.conv2", first))
    if step > 1:
        source = graph.batch_norm(f"{layer}.shortcut.1", graph.conv(f"{layer}.shortcut.0", source, strides=[step, 1]))
    return graph.add("Relu", graph.add("Add", second, source))


def _dense(graph: GraphBuilder, layer: str, frames: str, segments: str, dilation: int) -> str:
    """A layer of a block: convolution over time, masked by what its context says."""
    narrow = graph.conv(f"{layer}.linear1", _active(graph, f"{layer}.nonlinear1.batchnorm", frames))
    inner = _active(graph, f"{layer}.nonlinear2.batchnorm", narrow)
    local = graph.conv(f"{layer}.cam_layer.linear_local", inner, dilations=[dilation], pads=[dilation, dilation])
    means = graph.add("AveragePool", inner, kernel_shape=[CONTEXT], strides=[CONTEXT], ceil_mode=1)
    context = graph.add("Add", graph.add("ReduceMean", inner, axes=[2]), means)
    squeezed = graph.add("Relu", graph.conv(f"{layer}.cam_layer.linear1", context))
    mask = graph.add("Sigmoid", graph.conv(f"{layer}.cam_layer.linear2", squeezed))
    return graph.add("Mul", local, graph.add("Gather", mask, segments, axis=2))


def _segments(graph: GraphBuilder, frames: str) -> str:
    """In which stretch of CONTEXT frames each frame is."""
    count = graph.add("Squeeze", graph.add("Shape", frames, start=2))
    zero, one = (graph.constant(name, np.array(value)) for name, value in (("zero", 0), ("one", 1)))
    return graph.add("Div", graph.add("Range", zero, count, one), graph.constant("context", np.array(CONTEXT)))
