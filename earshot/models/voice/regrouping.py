"""Regrouping: finds speakers in whom two voices are heard, and groups the stretches of the recording anew.

The clustering of windows (clustering.py) trusts that a window's speaker is one person. Its vectors are of more speech than those
of stretches, so it is better wherever that is true, and its result stands unless stretches contradict it: some of a speaker's
stretches, together long enough to be a person, are unlike the others. Then the stretches of all speakers are clustered by their
vectors alone.

Chosen on 39 composed meetings of 27 people (docs/measurements/diarization.md).
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from earshot.models.voice.clustering import MAX_CLUSTERED, cosines, mean_vectors

LEAST_S = 0.7  # of a stretch, for its vector to take part
# The mean cosine of two groups of stretches below which a speaker has two voices, and from which two groups are one voice. A
# speaker with doubtful stretches (between them) stands as it is.
UNLIKE, ALIKE = 0.50, 0.55
# Seconds of a voice: at least the share of all stretches, within these bounds; shorter groups belong to the nearest voice.
LARGE_SHARE, LEAST_LARGE_S, MOST_LARGE_S = 0.05, 1.0, 6.0


def has_two_voices(speakers: np.ndarray, vectors: np.ndarray, seconds: np.ndarray) -> bool:
    """Whether two voices are heard in one of the speakers. For each stretch, its speaker, vector and seconds are given."""
    usable = seconds >= LEAST_S
    large_s = _large_s(seconds[usable])
    for speaker in np.unique(speakers[usable]):
        own = _spread(np.flatnonzero(usable & (speakers == speaker)))
        if len(own) > 1 and np.sum(_seconds_of(_grouped(vectors[own], UNLIKE), seconds[own]) >= large_s) > 1:
            return True
    return False


def voices(vectors: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """The voice of each stretch, from 0. At least one stretch must be of LEAST_S or longer."""
    usable = _spread(np.flatnonzero(seconds >= LEAST_S))
    groups = _grouped(vectors[usable], ALIKE)
    spoken_s = _seconds_of(groups, seconds[usable])
    large = np.flatnonzero(spoken_s >= min(_large_s(seconds[usable]), spoken_s.max()))
    kept = np.isin(groups, large)
    weighted = _unit(vectors[usable][kept]) * seconds[usable][kept, np.newaxis]
    return cosines(vectors, mean_vectors(weighted, np.searchsorted(large, groups[kept]))).argmax(axis=1)


def _grouped(vectors: np.ndarray, cosine: float) -> np.ndarray:
    """The group of each vector, from 0: average linkage, until no two groups have this mean cosine."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=int)
    tree = linkage(pdist(_unit(vectors), "sqeuclidean") / 2, method="average")  # of unit vectors, half of it is 1 - cosine
    return fcluster(tree, 1.0 - cosine, criterion="distance") - 1


def _spread(positions: np.ndarray) -> np.ndarray:
    """At most MAX_CLUSTERED of them, spread over the recording."""
    if len(positions) <= MAX_CLUSTERED:
        return positions
    return positions[np.linspace(0, len(positions) - 1, MAX_CLUSTERED).round().astype(int)]


def _seconds_of(groups: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    return np.bincount(groups, weights=seconds)


def _large_s(seconds: np.ndarray) -> float:
    return float(np.clip(LARGE_SHARE * seconds.sum(), LEAST_LARGE_S, MOST_LARGE_S))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
