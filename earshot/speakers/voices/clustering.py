"""Clustering: groups nodes (local speakers without a person) into anonymous voices. Pure: no names, no I/O.

Average linkage over cosine: the similarity of two clusters is the mean over their pairs of members, and the two most similar
clusters are merged until no two reach the threshold. Constraints from corrections: `same` pairs are merged before anything
else. `different` pairs are never merged; nor are two speakers of one video below the threshold, unless they are `same`.

**Components.** The edges of a graph are the pairs at or above the threshold, and the `same` pairs. Each connected component is
clustered alone, with the same result as clustering all nodes together. Proof: let A and B be clusters in two different
components. No edge joins them, so every pair between them is below the threshold, and so is their mean: they are not merged.
Hence, by induction over the merges, every cluster stays inside one component, and the merges in a component depend on nothing
outside it. Forbidden pairs only lower means. Products are whole numbers (cosine.py), so comparisons are exact.

**Forbidden pairs** have the distance 8 n^2, in units where the greatest real distance is 2. Two clusters have at most n^2 / 4
pairs between them, so a single forbidden pair makes their mean distance at least 32, and the cut is at 2 or less: no cluster
has a forbidden pair. `same` pairs are closed transitively, and all pairs of such a group have the distance 0, below any real
one: the group is merged first, at one height, and then counts with all its members. The only pairs exempt from the first rule
are inside such a group, where `different` pairs are refused (ValueError).

**Order.** Nodes must be sorted by key, so that ties are always merged in the same order.

**Incremental.** A component is identified by a digest of its members, their vectors, their constraints and the threshold. If
the digest is unchanged and no loose node (a new one, or one of a changed component) has an edge to the component, its clusters
are kept. All other components are clustered again. No other state is needed.

**Memory.** Products are computed in tiles of 2048 x 2048, and edges are turned into labels at once. Clustering a component of
n nodes takes twice 8 bytes per pair: 0.8 GB for 10,000 nodes. A component above `largest` is first split at a raised threshold,
in steps of 0.02, until no part is larger: one voice may then become two, but never two voices one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from earshot.speakers.voices.cosine import SCALE, as_cosine, as_product, quantized_dot
from earshot.speakers.voices.speakers import Key

Pair = tuple[int, int]  # positions of two nodes

LARGEST = 10_000
TILE = 2048
RAISE = 0.02
SAME = 0.0  # below every real distance, which is at least 1; scipy allows no negative ones
VERSION = "1"  # part of every digest; raise it with any change of the result


@dataclass(frozen=True)
class Nodes:
    """The input: sorted keys, their vectors on the grid, (n, d), and constraints by position."""

    keys: Sequence[Key]
    vectors: np.ndarray
    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()

    @cached_property
    def same_as(self) -> dict[int, list[int]]:
        """The partners of each node in `same` pairs."""
        return _partners(self.same)

    @cached_property
    def different_from(self) -> dict[int, list[int]]:
        """The partners of each node in `different` pairs."""
        return _partners(self.different)


@dataclass(frozen=True)
class Clustering:
    """For each node: the digest of its component, its cluster, its score and its margin (cosines, or NaN).

    `cluster` is an arbitrary number, unique to the cluster. The score is the mean cosine to the other members of the cluster;
    the margin is the score minus the mean cosine to the nearest other cluster of the component. `clustered` counts the nodes
    that were clustered again.
    """

    component: np.ndarray
    cluster: np.ndarray
    score: np.ndarray
    margin: np.ndarray
    clustered: int = 0


def empty_clustering(count: int) -> Clustering:
    """The `before` of nodes that were never clustered. Component 0 stands for none."""
    return Clustering(np.zeros(count, np.int64), np.full(count, -1, np.int64), np.full(count, np.nan), np.full(count, np.nan))


def cluster(nodes: Nodes, threshold: float, before: Clustering | None = None, largest: int = LARGEST) -> Clustering:
    """The voices of these nodes. `before`: the last clustering of the same nodes, so that only changes are clustered again.

    `cluster` of the result is the position of the cluster's first member. Raises ValueError if the keys are not sorted, or a
    `different` pair is in a group of `same` pairs.
    """
    _validate(nodes)
    level, before = as_product(threshold), before or empty_clustering(len(nodes.keys))
    digests = _node_digests(nodes)
    loose = ~_unchanged(nodes, digests, before.component, level)
    labels = _labels(nodes, loose, before.component, level)
    touched = np.isin(labels, labels[loose])
    result = _kept(before, touched)
    for members in _groups(labels[touched], np.flatnonzero(touched)):
        result.component[members] = _component_digest(digests[members], level)
        result.cluster[members] = _clusters(nodes, members, level, largest)
        if len(members) > 1:
            result.score[members], result.margin[members] = _scores(nodes.vectors[members], result.cluster[members])
    return result


def connected_labels(count: int, pairs: frozenset[Pair]) -> np.ndarray:
    """A label for each of `count` positions: equal if a chain of pairs connects them."""
    if not pairs:
        return np.arange(count)
    ends = np.array(sorted(pairs)).T
    return _components(count, ends)


def _validate(nodes: Nodes) -> None:
    if any(first >= second for first, second in zip(nodes.keys, nodes.keys[1:], strict=False)):
        raise ValueError("the keys must be sorted, without duplicates")
    group = connected_labels(len(nodes.keys), nodes.same)
    for first, second in nodes.different:
        if group[first] == group[second]:
            raise ValueError(f"{nodes.keys[first]} and {nodes.keys[second]} are both the same and different")


# --- changes -------------------------------------------------------------------------------------------------------------


def _node_digests(nodes: Nodes) -> np.ndarray:
    """A digest of each node's key, vector and constraints."""
    vectors = nodes.vectors.astype("<i2")
    digests = []
    for index, key in enumerate(nodes.keys):
        constraints = [[nodes.keys[other] for other in ends.get(index, ())] for ends in (nodes.same_as, nodes.different_from)]
        digests.append(blake2b(repr((key, constraints)).encode() + vectors[index].tobytes(), digest_size=16).digest())
    return np.array(digests, dtype="V16")


def _component_digest(members: np.ndarray, level: float) -> int:
    """A number from 1 to 2^63 - 1, which fits a bigint of SQL."""
    digest = blake2b(f"{VERSION} {level}".encode() + members.tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2**63 - 1) + 1


def _unchanged(nodes: Nodes, digests: np.ndarray, component: np.ndarray, level: float) -> np.ndarray:
    """Which nodes are in a component with an unchanged digest."""
    unchanged = np.zeros(len(nodes.keys), dtype=bool)
    for members in _groups(component, np.arange(len(component))):
        unchanged[members] = component[members[0]] == _component_digest(digests[members], level)
    return unchanged


def _groups(labels: np.ndarray, positions: np.ndarray) -> Iterator[np.ndarray]:
    """The positions of each label, in order."""
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    return iter(np.split(positions[order], bounds)) if len(positions) else iter(())


def _kept(before: Clustering, touched: np.ndarray) -> Clustering:
    """The result so far: the untouched nodes, with clusters numbered by their first members."""
    result = empty_clustering(len(touched))
    kept = np.flatnonzero(~touched)
    for members in _groups(before.cluster[kept], kept):
        result.cluster[members] = members[0]
    for name in ("component", "score", "margin"):
        getattr(result, name)[kept] = getattr(before, name)[kept]
    return Clustering(result.component, result.cluster, result.score, result.margin, int(touched.sum()))


# --- components ----------------------------------------------------------------------------------------------------------


def _labels(nodes: Nodes, loose: np.ndarray, component: np.ndarray, level: float) -> np.ndarray:
    """The component of each node, as a label. Only pairs with a loose node are compared; the other components are known."""
    labels = np.where(loose, 0, component)
    labels = np.unique(labels, return_inverse=True)[1]
    labels[loose] = labels.max(initial=0) + 1 + np.arange(loose.sum())
    if nodes.same:
        labels = _joined(labels, *np.array(sorted(nodes.same)).T)
    vectors, positions = nodes.vectors, np.flatnonzero(loose)
    order = np.concatenate([positions, np.flatnonzero(~loose)])  # loose ones first, so that each pair of them is compared once
    for start in range(0, len(positions), TILE):
        rows = positions[start : start + TILE]
        for at in range(start, len(order), TILE):
            columns = order[at : at + TILE]
            first, second = np.nonzero(quantized_dot(vectors[rows], vectors[columns]) >= level)
            labels = _joined(labels, rows[first], columns[second])
    return labels


def _joined(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The labels after adding edges between these nodes."""
    ends = np.stack([labels[first], labels[second]])
    ends = ends[:, ends[0] != ends[1]]
    if not ends.size:
        return labels
    count = int(labels.max()) + 1
    return _components(count, ends)[labels]


def _components(count: int, ends: np.ndarray) -> np.ndarray:
    """The connected component of each node of a graph with these edges, (2, n)."""
    from scipy.sparse import coo_array  # half a second to import, which commands that only read voices avoid
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(ends.shape[1], dtype=np.int8), ends), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _parts(nodes: Nodes, members: np.ndarray, level: float, largest: int) -> Iterator[np.ndarray]:
    """The component itself or, if it is too large, its parts at a raised threshold; `same` pairs stay together."""
    if len(members) <= largest or level > 1.01 * SCALE:  # above, only `same` pairs are left
        yield members
        return
    raised = level + as_product(RAISE)
    inside = Nodes([], nodes.vectors[members], _inside(nodes.same_as, members))
    labels = _labels(inside, np.ones(len(members), dtype=bool), np.zeros(len(members), np.int64), raised)
    for part in _groups(labels, members):
        yield from _parts(nodes, part, raised, largest)


# --- one component -------------------------------------------------------------------------------------------------------


def _clusters(nodes: Nodes, members: np.ndarray, level: float, largest: int) -> np.ndarray:
    """For each member of a component, the first member of its cluster."""
    from scipy.cluster.hierarchy import fcluster, linkage

    first_member = members.copy()
    for part in _parts(nodes, members, level, largest):
        if len(part) > 1:
            tree = linkage(_distances(nodes, part, level), method="average")
            for voice in _groups(fcluster(tree, max(SCALE - level + 1.0, SAME), criterion="distance"), part):
                first_member[np.searchsorted(members, voice)] = voice[0]
    return first_member


def _distances(nodes: Nodes, members: np.ndarray, level: float) -> np.ndarray:
    """SCALE + 1 minus the product of each pair of members, in scipy's condensed order; for constraints see above."""
    count, vectors = len(members), nodes.vectors[members]
    forbidden = 8.0 * SCALE * count * count
    condensed = np.empty(count * (count - 1) // 2)
    videos = np.unique([nodes.keys[member][0] for member in members], return_inverse=True)[1]
    for start in range(0, count, TILE):
        products = quantized_dot(vectors[start : start + TILE], vectors[start:])
        one_video = videos[start : start + TILE, None] == videos[None, start:]
        distances = np.where(
            one_video & (products < level), forbidden, np.maximum(SCALE + 1.0 - products.astype(np.float64), 1.0)
        )
        for row in range(len(products)):
            at = _condensed(count, start + row, start + row + 1)
            condensed[at : at + count - start - row - 1] = distances[row, row + 1 :]
    for first, second in _inside(nodes.different_from, members):
        condensed[_condensed(count, first, second)] = forbidden
    for group in _groups(connected_labels(count, _inside(nodes.same_as, members)), np.arange(count)):
        for index, first in enumerate(group):
            condensed[_condensed(count, first, group[index + 1 :])] = SAME
    return condensed


def _condensed(count: int, first: int, second: int | np.ndarray) -> int | np.ndarray:
    """The index of a pair, first < second, in scipy's condensed form."""
    return count * first - first * (first + 1) // 2 + second - first - 1


def _partners(pairs: frozenset[Pair]) -> dict[int, list[int]]:
    partners: dict[int, list[int]] = {}
    for first, second in sorted(pairs | {(second, first) for first, second in pairs}):
        partners.setdefault(first, []).append(second)
    return partners


def _inside(partners: Mapping[int, list[int]], members: np.ndarray) -> frozenset[Pair]:
    """The pairs of which both nodes are members, as positions among the members, the smaller first."""
    if not partners:
        return frozenset()
    position = {int(member): index for index, member in enumerate(members)}
    pairs = ((position[left], position.get(right, -1)) for left in position for right in partners.get(left, ()))
    return frozenset((first, second) for first, second in pairs if first < second)


def _scores(vectors: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The score and margin of each member of one component, given their clusters."""
    names, own, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, own, vectors)
    score, margin = np.empty(len(vectors)), np.empty(len(vectors))
    rows = max(1, TILE * TILE // len(names))
    for start in range(0, len(vectors), rows):
        block = slice(start, start + rows)
        score[block], margin[block] = _scores_of(vectors[block].astype(np.float64), own[block], sums, sizes)
    return score, margin


def _scores_of(vectors: np.ndarray, own: np.ndarray, sums: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scores and margins of some members, given their clusters, and each cluster's sum of vectors and size."""
    to_clusters = vectors @ sums.T
    rows = np.arange(len(vectors))
    others = np.where(sizes[own] > 1, sizes[own] - 1.0, np.nan)
    score = (to_clusters[rows, own] - (vectors * vectors).sum(axis=1)) / others
    means = to_clusters / sizes
    means[rows, own] = -np.inf
    nearest = means.max(axis=1)
    return as_cosine(score), np.where(np.isneginf(nearest), np.nan, score - nearest) / SCALE
