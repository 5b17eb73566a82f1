"""Clustering: which nodes (local speakers that nobody knows) are one voice. Pure; no names, no I/O.

Two clusters are as alike as their members are on average (average linkage over cosine). The two most alike are joined, again
and again, until no two reach the threshold. Constraints from corrections: `same` pairs are one voice before anything else is
joined; `different` pairs, and two speakers of one video that are less alike than the threshold and not `same`, never are.

**Components.** Only pairs at or above the threshold, and `same` pairs, are drawn as edges of a graph; each of its connected
components is clustered alone, and the outcome is that of clustering everything at once. Proof: let A and B be clusters inside
two different components. No edge joins them, so every pair between them is below the threshold, and so is their mean: they are
not joined. Hence, by induction over the joins, every cluster stays inside one component, and which joins happen in a component
depends on nothing outside it. A forbidden pair counts as unlike without end, which makes means smaller only. The products are
whole numbers (cosine.py), so no rounding decides at the threshold.

**Forbidden pairs.** Each is given the distance 8 n^2, in units where the greatest true distance is 2. Two clusters have
at most n^2 / 4 pairs between them, so that one forbidden pair alone puts their mean at 32 or more, and the cut lies at 2 or
less: no cluster holds a forbidden pair. `same` pairs are closed transitively and all pairs of such a group are given a distance
of 0, under any true one: the group is joined first, at one height, and then counts with all its members. The only
pairs exempt from the first rule are inside such a group, where a `different` one is refused (ValueError).

**Order.** Nodes must be sorted by key; what is equally alike is then always joined in the same order.

**Incremental.** A component is known by a digest of its members, their vectors, their constraints and the threshold. One that
still has its digest, and that no loose node (new, or of a component that has changed) is joined to by an edge, is the same
component with the same clusters, and is kept. All others are clustered again. Nothing else needs to be remembered.

**Memory.** Products are made in tiles of 2048 x 2048 numbers, and edges become labels at once. A component of n nodes takes 8
bytes for each pair twice while it is clustered: 0.8 GB for 10,000. Above `largest` it is first split at a raised threshold, in
steps of 0.02 until no part is larger: a voice may then be told as two, never two as one.
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
SAME = 0.0  # a distance below every true one, which are 1 or more: scipy knows none below 0
VERSION = "1"  # of what digests are made of; raise it with whatever changes the outcome


@dataclass(frozen=True)
class Nodes:
    """What is to be clustered: keys in sorted order, their vectors on the grid, (n, d), and constraints by position."""

    keys: Sequence[Key]
    vectors: np.ndarray
    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()

    @cached_property
    def same_as(self) -> dict[int, list[int]]:
        """The other ends of a node's `same` pairs."""
        return _partners(self.same)

    @cached_property
    def different_from(self) -> dict[int, list[int]]:
        """The other ends of a node's `different` pairs."""
        return _partners(self.different)


@dataclass(frozen=True)
class Clustering:
    """For each node: its component's digest, its cluster, its score and margin (cosines, NaN where there is none).

    `cluster` is any number that the members share and no other cluster has. The score is the mean cosine to the other members
    of the cluster, the margin that minus the mean to the nearest other cluster of the component. `clustered` are the nodes
    that had to be clustered again.
    """

    component: np.ndarray
    cluster: np.ndarray
    score: np.ndarray
    margin: np.ndarray
    clustered: int = 0


def empty_clustering(count: int) -> Clustering:
    """What to give as `before` for nodes that were never clustered; a component of 0 is none."""
    return Clustering(np.zeros(count, np.int64), np.full(count, -1, np.int64), np.full(count, np.nan), np.full(count, np.nan))


def cluster(nodes: Nodes, threshold: float, before: Clustering | None = None, largest: int = LARGEST) -> Clustering:
    """The voices of these nodes. `before`: what was found last time, for these nodes; with it only what changed is done.

    `cluster` of the outcome is the position of the cluster's first member. Raises ValueError where the keys are not sorted, or
    a `different` pair is inside a group of `same` ones.
    """
    _refuse(nodes)
    level, before = as_product(threshold), before or empty_clustering(len(nodes.keys))
    digests = _node_digests(nodes)
    loose = ~_unchanged(nodes, digests, before.component, level)
    labels = _labels(nodes, loose, before.component, level)
    touched = np.isin(labels, labels[loose])
    found = _kept(before, touched)
    for members in _groups(labels[touched], np.flatnonzero(touched)):
        found.component[members] = _component_digest(digests[members], level)
        found.cluster[members] = _clusters(nodes, members, level, largest)
        if len(members) > 1:
            found.score[members], found.margin[members] = _scores(nodes.vectors[members], found.cluster[members])
    return found


def connected_labels(count: int, pairs: frozenset[Pair]) -> np.ndarray:
    """A label for each of so many positions: equal where pairs, one after another, lead from one to the other."""
    if not pairs:
        return np.arange(count)
    ends = np.array(sorted(pairs)).T
    return _components(count, ends)


def _refuse(nodes: Nodes) -> None:
    if any(first >= second for first, second in zip(nodes.keys, nodes.keys[1:], strict=False)):
        raise ValueError("the keys must be sorted, each there once")
    group = connected_labels(len(nodes.keys), nodes.same)
    for first, second in nodes.different:
        if group[first] == group[second]:
            raise ValueError(f"{nodes.keys[first]} and {nodes.keys[second]} are said to be the same and different")


# --- what has changed ----------------------------------------------------------------------------------------------------


def _node_digests(nodes: Nodes) -> np.ndarray:
    """What each node's clustering depends on of itself: key, vector and the constraints that name it."""
    vectors = nodes.vectors.astype("<i2")
    digests = []
    for index, key in enumerate(nodes.keys):
        constraints = [[nodes.keys[other] for other in ends.get(index, ())] for ends in (nodes.same_as, nodes.different_from)]
        digests.append(blake2b(repr((key, constraints)).encode() + vectors[index].tobytes(), digest_size=16).digest())
    return np.array(digests, dtype="V16")


def _component_digest(members: np.ndarray, level: float) -> int:
    """A number from 1 to 2^63 - 1, as a bigint of SQL holds it."""
    digest = blake2b(f"{VERSION} {level}".encode() + members.tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2**63 - 1) + 1


def _unchanged(nodes: Nodes, digests: np.ndarray, component: np.ndarray, level: float) -> np.ndarray:
    """Which nodes are in a component whose digest still holds."""
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
    """The outcome so far: what is not touched, its clusters numbered by their first members."""
    found = empty_clustering(len(touched))
    kept = np.flatnonzero(~touched)
    for members in _groups(before.cluster[kept], kept):
        found.cluster[members] = members[0]
    for name in ("component", "score", "margin"):
        getattr(found, name)[kept] = getattr(before, name)[kept]
    return Clustering(found.component, found.cluster, found.score, found.margin, int(touched.sum()))


# --- components ----------------------------------------------------------------------------------------------------------


def _labels(nodes: Nodes, loose: np.ndarray, component: np.ndarray, level: float) -> np.ndarray:
    """A label for each node: its component. Only pairs with a loose node are compared, the others' components being known."""
    labels = np.where(loose, 0, component)
    labels = np.unique(labels, return_inverse=True)[1]
    labels[loose] = labels.max(initial=0) + 1 + np.arange(loose.sum())
    if nodes.same:
        labels = _joined(labels, *np.array(sorted(nodes.same)).T)
    vectors, positions = nodes.vectors, np.flatnonzero(loose)
    order = np.concatenate([positions, np.flatnonzero(~loose)])  # loose ones first: each pair of them is met once
    for start in range(0, len(positions), TILE):
        rows = positions[start : start + TILE]
        for at in range(start, len(order), TILE):
            columns = order[at : at + TILE]
            first, second = np.nonzero(quantized_dot(vectors[rows], vectors[columns]) >= level)
            labels = _joined(labels, rows[first], columns[second])
    return labels


def _joined(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The labels after edges between these nodes."""
    ends = np.stack([labels[first], labels[second]])
    ends = ends[:, ends[0] != ends[1]]
    if not ends.size:
        return labels
    count = int(labels.max()) + 1
    return _components(count, ends)[labels]


def _components(count: int, ends: np.ndarray) -> np.ndarray:
    """The connected component of each node of a graph with these edges, (2, n)."""
    from scipy.sparse import coo_array  # half a second, which a command that only reads voices does without
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(ends.shape[1], dtype=np.int8), ends), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _parts(nodes: Nodes, members: np.ndarray, level: float, largest: int) -> Iterator[np.ndarray]:
    """The component itself, or where it is too large its parts at a raised threshold; `same` pairs are never parted."""
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

    first = members.copy()
    for part in _parts(nodes, members, level, largest):
        if len(part) > 1:
            tree = linkage(_distances(nodes, part, level), method="average")
            for voice in _groups(fcluster(tree, max(SCALE - level + 1.0, SAME), criterion="distance"), part):
                first[np.searchsorted(members, voice)] = voice[0]
    return first


def _distances(nodes: Nodes, members: np.ndarray, level: float) -> np.ndarray:
    """ONE + 1 minus the product for each pair of members, in scipy's condensed order; constraints as the module says."""
    count, vectors = len(members), nodes.vectors[members]
    forbidden = 8.0 * SCALE * count * count
    condensed = np.empty(count * (count - 1) // 2)
    videos = np.unique([nodes.keys[member][0] for member in members], return_inverse=True)[1]
    for start in range(0, count, TILE):
        found = quantized_dot(vectors[start : start + TILE], vectors[start:])
        one_video = videos[start : start + TILE, None] == videos[None, start:]
        distances = np.where(one_video & (found < level), forbidden, np.maximum(SCALE + 1.0 - found.astype(np.float64), 1.0))
        for row in range(len(found)):
            at = _condensed(count, start + row, start + row + 1)
            condensed[at : at + count - start - row - 1] = distances[row, row + 1 :]
    for first, second in _inside(nodes.different_from, members):
        condensed[_condensed(count, first, second)] = forbidden
    for group in _groups(connected_labels(count, _inside(nodes.same_as, members)), np.arange(count)):
        for index, first in enumerate(group):
            condensed[_condensed(count, first, group[index + 1 :])] = SAME
    return condensed


def _condensed(count: int, first: int, second: int | np.ndarray) -> int | np.ndarray:
    """Where scipy's condensed form holds a pair, first < second."""
    return count * first - first * (first + 1) // 2 + second - first - 1


def _partners(pairs: frozenset[Pair]) -> dict[int, list[int]]:
    partners: dict[int, list[int]] = {}
    for first, second in sorted(pairs | {(second, first) for first, second in pairs}):
        partners.setdefault(first, []).append(second)
    return partners


def _inside(partners: Mapping[int, list[int]], members: np.ndarray) -> frozenset[Pair]:
    """The pairs of which both ends are members, as positions among the members, the smaller first."""
    if not partners:
        return frozenset()
    place = {int(member): index for index, member in enumerate(members)}
    pairs = ((place[one], place.get(other, -1)) for one in place for other in partners.get(one, ()))
    return frozenset((first, second) for first, second in pairs if first < second)


def _scores(vectors: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The score and margin of each member of one component, whose clusters are given."""
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
    """Those of some members: their clusters, and the sums of the vectors and sizes of all clusters."""
    to_clusters = vectors @ sums.T
    rows = np.arange(len(vectors))
    others = np.where(sizes[own] > 1, sizes[own] - 1.0, np.nan)
    score = (to_clusters[rows, own] - (vectors * vectors).sum(axis=1)) / others
    means = to_clusters / sizes
    means[rows, own] = -np.inf
    nearest = means.max(axis=1)
    return as_cosine(score), np.where(np.isneginf(nearest), np.nan, score - nearest) / SCALE
