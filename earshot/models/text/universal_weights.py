"""The weights of Google's universal-sentence-encoder-multilingual 3, as the package that carries them keeps them.

The table of 128,000 pieces is in 17 parts, of which part `i` has every 17th row from row `i` on, as bytes: a number is `byte *
scale + lowest` of its part. The other weights are float32, those of layers transposed.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

PARTS = 17
ORDERS = (2, 3, 5)  # of the n-grams: how many tokens each sees
CHANNELS = 256  # of each order


def before(order: int) -> int:
    """How many of an n-gram's tokens come before the one that it is about."""
    return (order - 1) // 2


def read_weights(file: Path) -> dict[str, np.ndarray]:
    """The weights, named `LAYER.weight` and `LAYER.bias` as torch names and shapes them.

    `table`: uint8, (pieces, dimension); `scale` and `lowest`: (pieces, 1). `epsilon` is that of the normalisations.
    """
    with np.load(file, allow_pickle=False) as stored:
        kept = dict(stored)
    return {
        **_table(kept),
        "project.weight": np.concatenate([kept[f"proj{order}"].T for order in ORDERS]),
        "project.bias": np.concatenate([kept[f"proj_b{order}"] for order in ORDERS]),
        "project_norm.weight": np.concatenate([kept[f"ln_g{order}"] for order in ORDERS]),
        "project_norm.bias": np.concatenate([kept[f"ln_b{order}"] for order in ORDERS]),
        **{name: weights for order in ORDERS for name, weights in _convolutions(kept, order).items()},
        "norm.weight": kept["ln_g"],
        "norm.bias": kept["ln_b"],
        "pool.weight": kept["cnn_W"].T,
        "pool.bias": kept["cnn_b"],
        "dense0.weight": kept["d0"].T,
        "dense1.weight": np.concatenate([kept["p1"], kept["d1"]]).T,
        "dense2.weight": kept["d2"].T,
        "dense3.weight": np.concatenate([kept["p3"], kept["d3"]]).T,
        "epsilon": kept["eps"],
    }


def _table(kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = np.stack([kept[f"q{part}"] for part in range(1, PARTS + 1)], axis=1)  # (rows of a part, parts, dimension)
    numbers = {"scale": kept["scale"], "lowest": kept["lo"]}
    return {
        "table": parts.reshape(-1, parts.shape[-1]),
        **{name: np.tile(of_part, len(parts))[:, np.newaxis] for name, of_part in numbers.items()},
    }


def _convolutions(kept: Mapping[str, np.ndarray], order: int) -> dict[str, np.ndarray]:
    """Both convolutions of an order."""
    weights = {}
    for layer in (1, 2):
        stacked = kept[f"w{layer}_{order}"].reshape(order, CHANNELS, CHANNELS)  # (token of the n-gram, in, out)
        weights[f"ngrams{order}.{layer}.weight"] = stacked.transpose(2, 1, 0)
        weights[f"ngrams{order}.{layer}.bias"] = kept[f"b{layer}_{order}"]
    return weights
