"""The networks by torch: on a GPU, for the models of the hub, and as the reference of the ONNX graphs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio import Inference
from pyannote.audio import Model as PyannoteModel

from earshot.models.networks.campplus import load_campplus
from earshot.models.networks.interface import Network, SegmentationNetwork, SpeakerNetwork
from earshot.models.registry import Model
from earshot.models.voice.segmentation import Frames


class TorchNetwork(Network):
    """A network whose placement is that of its parameters."""

    network: Any  # torch's modules answer to every name

    @property
    def device(self) -> str:
        return next(self.network.parameters()).device.type

    @property
    def compute_type(self) -> str:
        return str(next(self.network.parameters()).dtype).removeprefix("torch.")


class TorchSegmentation(TorchNetwork, SegmentationNetwork):
    """A segmentation model of pyannote.audio."""

    def __init__(self, network: PyannoteModel, device: str) -> None:
        self.network: Any = network.eval()
        self.window_s = self.network.specifications.duration
        field = self.network.receptive_field
        self.frames = Frames(field.duration, field.step)
        self._inference = Inference(network, device=torch.device(device), skip_aggregation=True)

    def speakers(self, windows: np.ndarray) -> np.ndarray:
        return np.asarray(self._inference.infer(torch.from_numpy(windows)[:, None]))

    @contextmanager
    def exact(self) -> Iterator[None]:
        """No TF32, which costs pyannote's networks accuracy (its issue 1370)."""
        matmul: Any = torch.backends.cuda.matmul
        cudnn: Any = torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = False
        try:
            yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before


class TorchSpeaker(TorchNetwork, SpeakerNetwork):
    """A speaker model of pyannote.audio, or CampPlusPlus."""

    arrays = torch

    def __init__(self, network: PyannoteModel, device: str) -> None:
        self.network: Any = network.to(torch.device(device)).eval()

    @torch.inference_mode()
    def frames(self, waveforms: np.ndarray) -> torch.Tensor:
        return self.network.forward_frames(torch.from_numpy(waveforms)[:, None].to(self.device))

    @torch.inference_mode()
    def vectors(self, frames: Sequence[torch.Tensor], active: np.ndarray | None = None) -> np.ndarray:
        weights = None if active is None else torch.from_numpy(active.astype(np.float32)).to(self.device)
        return self.network.forward_embedding(torch.stack(list(frames)), weights).cpu().numpy()


def load_segmentation(folder: Path) -> PyannoteModel:
    """segmentation-3.0, on the CPU, from its verified folder."""
    network = PyannoteModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert network is not None  # None means a failed download; this is a file
    return network.eval()


def load_speaker(model: Model, folder: Path) -> PyannoteModel:
    """The speaker model, on the CPU, from its verified folder."""
    if not model.repository:
        return load_campplus(folder)
    network = PyannoteModel.from_pretrained(str(folder / "embedding"))
    assert network is not None  # as above, a folder
    return network
