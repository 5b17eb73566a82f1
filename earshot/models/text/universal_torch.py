"""universal-sentence-encoder-multilingual 3 by torch, on a GPU. universal_onnx.py has the same network."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from earshot.models.text.universal_network import PADDING, UniversalNetwork
from earshot.models.text.universal_weights import ORDERS, before


class TorchUniversal(UniversalNetwork):
    """The network in single precision; its table stays in bytes."""

    def __init__(self, weights: Mapping[str, np.ndarray], device: str) -> None:
        self._weights = {name: torch.tensor(values).to(device) for name, values in weights.items() if values.ndim}
        self._epsilon = float(weights["epsilon"])

    @property
    def device(self) -> str:
        return self._weights["project.weight"].device.type

    @property
    def compute_type(self) -> str:
        return str(self._weights["project.weight"].dtype).removeprefix("torch.")

    @torch.inference_mode()
    def vectors(self, batches: Sequence[np.ndarray]) -> np.ndarray:
        """Keeps the vectors on the device until all are computed, so that it never waits."""
        found = [self._forward(torch.from_numpy(batch).to(self.device)) for batch in batches]
        return torch.cat(found).cpu().numpy()

    def _forward(self, tokens: torch.Tensor) -> torch.Tensor:
        mask = (tokens != PADDING).float()[..., None]
        rows = tokens.clamp(min=0)
        pieces = self._weights["table"][rows].float() * self._weights["scale"][rows] + self._weights["lowest"][rows]
        projected = self._normalised("project_norm", self._linear("project", pieces)) * mask
        features = torch.cat([pieces, self._ngrams(projected, mask)], dim=2)
        return self._dense(self._pooled(self._normalised("norm", features) * mask, mask))

    def _ngrams(self, projected: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        parts, inside = projected.transpose(1, 2).chunk(len(ORDERS), dim=1), mask.transpose(1, 2)
        orders = []
        for order, part in zip(ORDERS, parts, strict=True):
            once = self._residual(f"ngrams{order}.1", order, part) * inside
            orders.append(self._residual(f"ngrams{order}.2", order, once))
        return torch.cat(orders, dim=1).transpose(1, 2)

    def _residual(self, layer: str, order: int, source: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(source, (before(order), order - 1 - before(order)))
        return functional.conv1d(padded, *self._layer(layer)).relu() + source

    def _pooled(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        root = mask.sum(dim=1).sqrt()
        weight, bias = self._layer("pool")
        return features.sum(dim=1) @ weight.T / root + root * bias

    def _dense(self, pooled: torch.Tensor) -> torch.Tensor:
        weights = [self._weights[f"dense{layer}.weight"].T for layer in range(4)]
        first = (pooled @ weights[0]).relu()
        second = (torch.cat([pooled, first], dim=1) @ weights[1]).relu()
        third = (second @ weights[2]).relu()
        return (torch.cat([second, third], dim=1) @ weights[3]).tanh()

    def _linear(self, layer: str, source: torch.Tensor) -> torch.Tensor:
        return functional.linear(source, *self._layer(layer))

    def _normalised(self, layer: str, source: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(source, source.shape[-1:], *self._layer(layer), eps=self._epsilon)

    def _layer(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
