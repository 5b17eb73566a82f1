"""Cosine similarity of voice vectors, exact and independent of the order of computation.

Identities must not depend on the order of videos or on the size of matrix blocks, but the last digits of a sum of floats do. So
each vector is scaled to unit length and its coordinates are rounded to multiples of 1/4000 (the *grid*). Every product and
partial sum is then a whole number below 2^24, which float32 represents exactly, and a matrix product has the same result in any
order, in any blocks, on any machine. The rounding error of a cosine is 0.0001 (standard deviation, over random directions of
any dimension), far less than the difference between two recordings of one voice.

A `product` is a cosine times 4000^2. The cosine of two equal directions may be a little over 1; scores are clipped to 1.
"""

import math

import numpy as np

STEPS = 4000  # (4000 + sqrt(dimension) / 2)^2 < 2^24 up to 36,000 dimensions
SCALE = STEPS * STEPS  # the product of a direction with itself, except for rounding


def is_usable(vectors: np.ndarray) -> np.ndarray:
    """Which rows can be compared: all values are finite, and not all are zero."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return np.isfinite(lengths) & (lengths > 0.0)


def mean_direction(vectors: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """The mean of the rows weighted by seconds, at unit length, float64; zeros if the rows cancel each other out."""
    mean = seconds.astype(np.float64) @ vectors.astype(np.float64)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)


def quantize(vectors: np.ndarray) -> np.ndarray:
    """The rows on the grid: unit length, in steps of 1/STEPS, as whole float32 numbers. Raises ValueError for unusable rows."""
    if not is_usable(vectors).all():
        raise ValueError("a vector of zeros, or with values that are not finite, has no direction")
    exact = vectors.astype(np.float64)
    return np.rint(exact / np.linalg.norm(exact, axis=1, keepdims=True) * STEPS).astype(np.float32)


def quantized_dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product of each left row with each right row, both on the grid."""
    return left @ right.T


def as_product(cosine: float) -> float:
    """The smallest product that is at least this cosine."""
    return float(math.ceil(round(cosine * SCALE, 3)))


def as_cosine(products: np.ndarray) -> np.ndarray:
    """The cosines of products, clipped to -1 to 1."""
    return np.clip(products.astype(np.float64) / SCALE, -1.0, 1.0)
