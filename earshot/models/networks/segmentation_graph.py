"""segmentation-3.0 as an ONNX graph: pyannote.audio's PyanNet, from waveforms to the classes of each frame.

SincNet, four bidirectional LSTMs, two linear layers and a classifier, without the softmax at its end, which does not change
which class is the most probable.
"""

from collections.abc import Mapping

import numpy as np

from earshot.common.audio import SAMPLE_RATE
from earshot.models.networks.graph_builder import GraphBuilder

STRIDE = 10  # samples from one step of the filters to the next
LEAST_HZ = np.float32(50)  # of a filter's lower edge, and of its width
LSTMS = 4


def segmentation_graph(weights: Mapping[str, np.ndarray]) -> bytes:
    """(windows, 1, samples) to (windows, frames, classes)."""
    graph = GraphBuilder(weights)
    filters = graph.constant("filters", sinc_filters(weights, "sincnet.conv1d.0.filterbank"))
    heard = graph.add("Conv", graph.instance_norm("sincnet.wav_norm1d", "input"), filters, strides=[STRIDE])
    features = _pooled(graph, 0, graph.add("Abs", heard))
    for number in (1, 2):
        features = _pooled(graph, number, graph.conv(f"sincnet.conv1d.{number}", features))
    steps = graph.add("Transpose", features, perm=[2, 0, 1])
    for number in range(LSTMS):
        steps = graph.lstm("lstm", number, steps)
    frames = graph.add("Transpose", steps, perm=[1, 0, 2])
    for number in range(2):
        frames = graph.add("LeakyRelu", graph.linear(f"linear.{number}", frames))
    return graph.finished(graph.linear("classifier", frames), ["windows", 1, "samples"], ["windows", "frames", "classes"])


def _pooled(graph: GraphBuilder, number: int, source: str) -> str:
    largest = graph.add("MaxPool", source, kernel_shape=[3], strides=[3])
    return graph.add("LeakyRelu", graph.instance_norm(f"sincnet.norm1d.{number}", largest))


def sinc_filters(weights: Mapping[str, np.ndarray], layer: str) -> np.ndarray:
    """SincNet's band-pass filters, even ones and odd ones: (filters, 1, samples), computed as asteroid_filterbanks does."""
    low_hz, band_hz, window, angles = (weights[f"{layer}.{name}"] for name in ("low_hz_", "band_hz_", "window_", "n_"))
    low = LEAST_HZ + np.abs(low_hz)
    high = np.clip(low + LEAST_HZ + np.abs(band_hz), LEAST_HZ, np.float32(SAMPLE_RATE / 2))
    width = high - low
    even = (np.sin(high @ angles) - np.sin(low @ angles)) / (angles / 2) * window
    odd = (np.cos(low @ angles) - np.cos(high @ angles)) / (angles / 2) * window
    halves = (even, 2 * width, even[:, ::-1]), (odd, np.zeros_like(width), -odd[:, ::-1])
    return np.concatenate([np.concatenate(parts, axis=1) / (2 * width) for parts in halves])[:, np.newaxis]
