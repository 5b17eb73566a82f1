"""Voice ids: decides which ids anonymous voices keep after clustering. Pure functions.

A cluster keeps the id that most of its members had; if two ids are equal in this, the smaller. If two clusters come from one
voice, the one with more of its members keeps the id (if equal, the one whose first member comes first). The other gets the next
most frequent id of its members that is free, or a new one. Clusters do not depend on the order in which videos came, but ids
do, and must: an id that a user has seen must not move to another voice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence


def kept_voice_ids(clusters: Sequence[int | None], before: Sequence[int | None]) -> dict[int, int]:
    """cluster -> id, for clusters that keep one. `clusters` and `before` have the cluster and previous voice id per speaker."""
    first: dict[int, int] = {}
    counts: Counter[tuple[int, int]] = Counter()
    for index, (cluster, voice_id) in enumerate(zip(clusters, before, strict=True)):
        if cluster is not None:
            first.setdefault(cluster, index)
            if voice_id is not None:
                counts[cluster, voice_id] += 1
    kept: dict[int, int] = {}
    taken: set[int] = set()
    for (cluster, voice_id), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0][1], first[item[0][0]])):
        if cluster not in kept and voice_id not in taken:
            kept[cluster] = voice_id
            taken.add(voice_id)
    return kept


def clusters_without_id(clusters: Sequence[int | None], kept: Mapping[int, int], rank: Sequence[int]) -> list[int]:
    """The clusters that need a new id, by the rank of their first member."""
    members = [(rank[index], cluster) for index, cluster in enumerate(clusters) if cluster is not None and cluster not in kept]
    return list(dict.fromkeys(cluster for _, cluster in sorted(members, key=lambda item: item[0])))
