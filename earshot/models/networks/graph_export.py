"""Exports the bundled networks to ONNX, and compares the graphs with torch on speech before anything uses them."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import torch

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import REINSTALL, ModelUnavailable
from earshot.models.networks.campplus import CampPlusPlus, load_campplus
from earshot.models.networks.filter_bank import MEL_BANDS, bank_count
from earshot.models.networks.interface import SpeakerNetwork
from earshot.models.networks.onnx_networks import (
    FRAMES_GRAPH,
    SEGMENTATION_GRAPH,
    VECTORS_GRAPH,
    OnnxSegmentation,
    OnnxSpeaker,
)
from earshot.models.networks.torch_networks import TorchSegmentation, TorchSpeaker, load_segmentation

OPSET = 17
WINDOW_SAMPLES = 10 * SAMPLE_RATE
STARTS_S = (7, 20)  # of windows of the recording with which graphs are compared
LENGTHS_S = (1, 4, 10)  # the shortest and the longest that the speaker network gets, and one between

# Measured: all frames and cosines of 1.000000; torch itself differs more between two processors.
SAME_FRAMES = 0.999  # share of frames with the same speakers
SAME_VECTOR = 0.9999  # cosine of two vectors


class _Frames(torch.nn.Module):
    """The speaker network from the filter bank to the pooling."""

    def __init__(self, network: CampPlusPlus) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.network.forward_features(features)


class _Vectors(torch.nn.Module):
    """The speaker network after the pooling."""

    def __init__(self, network: CampPlusPlus) -> None:
        super().__init__()
        self.network = network

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.network.forward_pooled(pooled)


def export_segmentation(weights: Path, target: Path) -> None:
    """segmentation-3.0, from waveforms to classes. Raises ModelUnavailable if the graph differs from torch."""
    network = load_segmentation(weights)
    _export(network, torch.zeros(2, 1, WINDOW_SAMPLES), target / SEGMENTATION_GRAPH, {0: "windows"}, {0: "windows"})
    speech = _speech()
    windows = np.stack([speech[start * SAMPLE_RATE :][:WINDOW_SAMPLES] for start in STARTS_S])
    expected, found = (each.speakers(windows) for each in (TorchSegmentation(network, "cpu"), OnnxSegmentation(target)))
    _require(SEGMENTATION_GRAPH, float((expected == found).all(axis=2).mean()), SAME_FRAMES)


def export_speaker(weights: Path, target: Path) -> None:
    """CAM++, before and after its pooling. Raises ModelUnavailable if vectors differ from torch."""
    network = load_campplus(weights)
    features = torch.zeros(2, bank_count(WINDOW_SAMPLES), MEL_BANDS)
    axes = {0: "waveforms", 1: "banks"}, {0: "waveforms", 2: "frames"}
    _export(_Frames(network), features, target / FRAMES_GRAPH, *axes)
    with torch.inference_mode():
        pooled = network.pooling(network.forward_features(features))
    _export(_Vectors(network), pooled.clone(), target / VECTORS_GRAPH, {0: "vectors"}, {0: "vectors"})
    networks = TorchSpeaker(network, "cpu"), OnnxSpeaker(target)
    speech = _speech()
    for seconds in LENGTHS_S:
        samples = np.stack([speech[start * SAMPLE_RATE :][: seconds * SAMPLE_RATE] for start in STARTS_S])
        first, second = (_vectors(each, samples) for each in networks)
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        _require(FRAMES_GRAPH, float(((first * second).sum(axis=1) / lengths).min()), SAME_VECTOR)


def _vectors(network: SpeakerNetwork, samples: np.ndarray) -> np.ndarray:
    return network.vectors(list(network.frames(samples)))


def _export(
    network: torch.nn.Module, inputs: torch.Tensor, path: Path, input_axes: dict[int, str], output_axes: dict[int, str]
) -> None:
    axes = {"input": input_axes, "output": output_axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about lengths that are constant here, and a newer exporter, which needs onnxscript
        torch.onnx.export(
            network.eval(), (inputs,), str(path), opset_version=OPSET, dynamo=False,
            input_names=["input"], output_names=["output"], dynamic_axes=axes,
        )  # fmt: skip


def _speech() -> np.ndarray:
    """The recording in pyannote.audio's package: thirty seconds, two people."""
    spec = find_spec("pyannote.audio")
    assert spec is not None
    assert spec.origin is not None
    samples, _ = soundfile.read(Path(spec.origin).parent / "sample" / "sample.wav", dtype="float32")
    return samples


def _require(graph: str, found: float, wanted: float) -> None:
    if not found >= wanted:
        raise ModelUnavailable(
            f"The exported graph {graph} agrees with torch to {found:.6f} on speech, not to {wanted}.",
            f"{REINSTALL}, with the pinned versions of torch and onnxruntime.",
        )
