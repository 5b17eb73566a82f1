"""Clustering: which speakers of which windows are one person.

Clusters are joined while their centroids are near each other, as in pyannote.audio, with the same result
(tests/earshot/models/voice/test_clustering.py). Only vectors of speakers heard alone for long enough take part; then every
speaker gets the cluster with the nearest centroid. A small cluster is part of the nearest large one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from earshot.models.voice.segmentation import Segmentation

# All pairs of 8,000 vectors take 256 MB, for four hours of one voice; twelve hours would take 2.3 GB.
MAX_CLUSTERED = 8000
LEAST_ALONE = 0.2  # share of a window in which a speaker must be heard alone for the vector to take part
# The distance between CAM++ centroids below which two clusters are one speaker. Chosen on 42 minutes in 27 recordings of known
# speakers (docs/measurements/performance.md): it gets the number of speakers right most often, with the least misattributed
# speech; on the telephone call, values up to 0.62 keep the two speakers apart.
THRESHOLD = 0.60
# Vectors of a large cluster: half of pyannote's published 12 windows, because windows are twice as far apart here.
LARGE = 6
LARGE_SHARE = 0.1  # or as many as this share of all, if that is fewer


@dataclass(frozen=True)
class _Joining:
    """Unit vectors and the tree of their joining; `large` is how many vectors make a large cluster."""

    unit: np.ndarray
    tree: np.ndarray
    large: int

    def labels(self, least: int, most: int) -> np.ndarray:
        """The cluster of each vector, from 0; as many large ones as asked for, if there is a place in the tree with so many."""
        labels = fcluster(self.tree, THRESHOLD, criterion="distance") - 1
        found = len(self._large_of(labels))
        wanted = min(max(found, least), most)
        return self._absorbed(labels if wanted == found else self._cut_into(wanted))

    def _cut_into(self, wanted: int) -> np.ndarray:
        """The cut with `wanted` large clusters that is nearest to the threshold, or else with nearly as many."""
        order = self.tree.copy()
        order[:, 2] = np.arange(len(order))  # cuts after so many joins, instead of at a distance
        best, best_found = np.zeros(len(self.unit), dtype=int), 1
        for join in np.argsort(np.abs(self.tree[:, 2] - THRESHOLD)):
            if order[join, 3] < self.large:  # changes no large cluster
                continue
            labels = fcluster(order, join, criterion="distance") - 1
            found = len(self._large_of(labels))
            if found == wanted:
                return labels
            if abs(found - wanted) < abs(best_found - wanted):
                best, best_found = labels, found
        return best

    def _absorbed(self, labels: np.ndarray) -> np.ndarray:
        """Small clusters made part of the large one whose centroid is nearest; all one cluster if none is large."""
        large = self._large_of(labels)
        if not len(large):
            return np.zeros_like(labels)
        centroids = mean_vectors(self.unit, labels)
        nearest = large[cosines(centroids, centroids[large]).argmax(axis=1)]
        nearest[large] = large
        return np.unique(nearest[labels], return_inverse=True)[1]

    def _large_of(self, labels: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.bincount(labels) >= self.large)


def cluster(vectors: np.ndarray, segmentation: Segmentation, least: int = 1, most: int | None = None) -> np.ndarray:
    """The cluster of each speaker of each window: (windows, speakers), for vectors (windows, speakers, dimension).

    At least `least` clusters if there are as many vectors, at most `most`.
    """
    usable = vectors[_heard_alone(segmentation)]
    if len(usable) > MAX_CLUSTERED:  # some, spread over the recording
        usable = usable[np.linspace(0, len(usable) - 1, MAX_CLUSTERED).round().astype(int)]
    least, most = (max(1, min(len(usable), bound)) for bound in (least, len(usable) if most is None else most))
    if most < 2:
        return np.zeros(vectors.shape[:2], dtype=int)
    centroids = mean_vectors(usable, _labels(usable, least, most))
    nearest = cosines(vectors.reshape(-1, vectors.shape[2]), centroids).argmax(axis=1)
    return nearest.reshape(vectors.shape[:2])


def _heard_alone(segmentation: Segmentation) -> np.ndarray:
    """(windows, speakers) heard alone for long enough."""
    alone = segmentation.active * (segmentation.active.sum(axis=2, keepdims=True) == 1)
    return alone.sum(axis=1) >= LEAST_ALONE * segmentation.active.shape[1]


def _labels(vectors: np.ndarray, least: int, most: int) -> np.ndarray:
    """The cluster of each of two or more vectors, from 0. Smaller clusters count as large if there are too few otherwise."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    tree, large = linkage(unit, method="centroid"), LARGE
    while True:
        labels = _Joining(unit, tree, min(large, max(1, round(LARGE_SHARE * len(unit))))).labels(least, most)
        if labels.max() + 1 >= least or large == 1:
            return labels
        large = max(1, large // 2)


def mean_vectors(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean of the vectors of each label; labels are from 0, without gaps."""
    return np.stack([vectors[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def cosines(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosine similarities, (vectors, others); 0 to a vector without a direction."""
    units = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (vectors, others))
    unit, other = (each.astype(np.float64) for each in units)
    return unit @ other.T
