"""Two voices: whether the turns of one local speaker sound like two people. Pure.

The diarization sometimes takes two people for one. Their mean vector is like both of them and like neither: as a voice it would
join the two across videos, and whoever is enrolled would be named for both.
"""

import numpy as np

# The mean cosine of two groups of turns below which they are two voices, and the seconds and the share of the speech that the
# smaller group must have. Chosen on composed meetings (docs/measurements/diarization.md).
UNLIKE = 0.5
LEAST_S, LEAST_SHARE = 0.7, 0.1
MOST_TURNS = 2000  # evenly spread ones of more: 16 MB of distances


def has_two_voices(vectors: np.ndarray, seconds: np.ndarray) -> bool:
    """Whether the turns of one speaker, with a unit vector and seconds each, are of two voices."""
    if len(vectors) < 2:
        return False
    from scipy.cluster.hierarchy import fcluster, linkage  # half a second to import, which most commands avoid
    from scipy.spatial.distance import pdist

    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_TURNS)).round().astype(int)
    tree = linkage(pdist(vectors[chosen], "sqeuclidean") / 2, method="average")  # of unit vectors, half of it is 1 - cosine
    groups = fcluster(tree, 1.0 - UNLIKE, criterion="distance")
    by_group = np.sort(np.bincount(groups, weights=seconds[chosen]))
    return bool(by_group[-2] >= max(LEAST_S, LEAST_SHARE * by_group.sum()))  # group 0 is empty: there are always two sums
