"""Regrouping: where stretches contradict the speakers that the clustering found, groups the stretches of the recording anew.

The clustering (clustering.py) trusts that a window's speaker is one person. Its vectors are of more speech than those of
stretches (stretches.py), so it is better wherever that is true, and its result stands unless

- two voices are heard in one of its speakers: some stretches, together long enough to be a person, are unlike the others; or
- its speakers are hardly apart: their stretches are nearly as like those of another speaker as their own; or
- a grouping of the stretches by their vectors alone, into as many voices or more, is clearly further apart.

Chosen on 39 composed meetings of 27 people (docs/measurements/diarization.md).
"""

from collections.abc import Iterator

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from earshot.models.voice.clustering import MAX_CLUSTERED, cosines, mean_vectors

LEAST_S = 0.7  # of a stretch, for its vector to take part
UNLIKE = 0.50  # two groups of a speaker's stretches below this mean cosine are two voices
ALIKE = (0.50, 0.55, 0.60)  # mean cosines from which two groups are one voice; the one that sets voices furthest apart counts
# Separations, as differences of cosines: below HARDLY speakers are hardly apart; CLEARLY is by how much a grouping must gain.
HARDLY, CLEARLY = 0.08, 0.04
# Seconds of a voice: at least the share of all stretches, within these bounds; shorter groups belong to the nearest voice.
LARGE_SHARE, LEAST_LARGE_S, MOST_LARGE_S = 0.05, 1.0, 6.0


def regrouped(
    speakers: np.ndarray, vectors: np.ndarray, seconds: np.ndarray, bounds: tuple[int, int | None] = (1, None)
) -> np.ndarray | None:
    """The voice of each stretch, from 0; None if the speakers stand. `speakers`, `vectors` and `seconds` are by stretch.

    `bounds`: the least and the most voices.
    """
    usable = np.flatnonzero(seconds >= LEAST_S)
    if len(usable) < 2:
        return None
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    most = bounds[1] or len(seconds)
    found = [voices for voices in _voices(unit, seconds, _spread(usable)) if bounds[0] <= _number(voices) <= most]

    def apart(groups: np.ndarray) -> float:
        return separation(groups[usable], unit[usable], seconds[usable])

    if _has_two_voices(speakers, unit, seconds, usable):
        return max(found, key=apart, default=None)
    before = apart(speakers)
    if _number(speakers) == 1 or before >= HARDLY:
        found = [voices for voices in found if _number(voices) >= _number(speakers)]
    best = max(found, key=apart, default=None)
    return best if best is not None and apart(best) > before + CLEARLY else None


def separation(groups: np.ndarray, unit: np.ndarray, seconds: np.ndarray) -> float:
    """By how much vectors are nearer to their own group than to the next: the mean difference of mean cosines, by seconds.

    0 for a vector that is alone in its group, and for a single group.
    """
    names, own = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return 0.0
    rows, of_group = np.arange(len(own)), np.bincount(own, weights=seconds)
    sums = np.zeros((len(names), unit.shape[1]))
    np.add.at(sums, own, unit * seconds[:, np.newaxis])
    products = unit @ sums.T
    others_s = of_group[own] - seconds
    to_own = (products[rows, own] - seconds) / np.maximum(others_s, 1e-9)  # without itself
    means = products / of_group
    means[rows, own] = -np.inf
    return float(np.average(np.where(np.bincount(own)[own] > 1, to_own - means.max(axis=1), 0.0), weights=seconds))


def _has_two_voices(speakers: np.ndarray, unit: np.ndarray, seconds: np.ndarray, usable: np.ndarray) -> bool:
    large_s = _large_s(seconds[usable])
    for speaker in np.unique(speakers[usable]):
        own = _spread(usable[speakers[usable] == speaker])
        if len(own) > 1 and np.sum(np.bincount(_cut(_tree(unit[own]), UNLIKE), weights=seconds[own]) >= large_s) > 1:
            return True
    return False


def _voices(unit: np.ndarray, seconds: np.ndarray, usable: np.ndarray) -> Iterator[np.ndarray]:
    """The voice of each stretch, for each of ALIKE."""
    tree, large_s = _tree(unit[usable]), _large_s(seconds[usable])
    for cosine in ALIKE:
        groups = _cut(tree, cosine)
        spoken_s = np.bincount(groups, weights=seconds[usable])
        large = np.flatnonzero(spoken_s >= min(large_s, spoken_s.max()))
        kept = np.isin(groups, large)
        weighted = unit[usable][kept] * seconds[usable][kept, np.newaxis]
        nearest = cosines(unit, mean_vectors(weighted, np.searchsorted(large, groups[kept]))).argmax(axis=1)
        yield np.unique(nearest, return_inverse=True)[1]


def _tree(unit: np.ndarray) -> np.ndarray:
    """Average linkage; half the square of the distance of two unit vectors is 1 - cosine."""
    return linkage(pdist(unit, "sqeuclidean") / 2, method="average")


def _cut(tree: np.ndarray, cosine: float) -> np.ndarray:
    """The group of each vector, from 0, in which no two groups have this mean cosine."""
    return fcluster(tree, 1.0 - cosine, criterion="distance") - 1


def _spread(positions: np.ndarray) -> np.ndarray:
    """At most MAX_CLUSTERED of them, spread over the recording."""
    if len(positions) <= MAX_CLUSTERED:
        return positions
    return positions[np.linspace(0, len(positions) - 1, MAX_CLUSTERED).round().astype(int)]


def _large_s(seconds: np.ndarray) -> float:
    return float(np.clip(LARGE_SHARE * seconds.sum(), LEAST_LARGE_S, MOST_LARGE_S))


def _number(groups: np.ndarray) -> int:
    return len(np.unique(groups))
