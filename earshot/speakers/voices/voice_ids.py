"""Voice numbers: under which number an anonymous voice goes on, whatever was clustered anew. Pure functions.

A cluster keeps the number that most of its members had; of two numbers with as many, the smaller. Where two clusters come from
one voice, the one with more of its members keeps the number (of two with as many, the one whose first member comes first), and
the other takes the next that its members had and nobody keeps, or a new one. Who the voices are does not depend on the order in
which videos came; how they are numbered does, and has to: a number that somebody has seen must not pass to somebody else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence


def kept_voice_ids(clusters: Sequence[int | None], before: Sequence[int | None]) -> dict[int, int]:
    """The numbers of those clusters that keep one: for each speaker, in order, its cluster and the number that it had."""
    first: dict[int, int] = {}
    counts: Counter[tuple[int, int]] = Counter()
    for index, (cluster, number) in enumerate(zip(clusters, before, strict=True)):
        if cluster is not None:
            first.setdefault(cluster, index)
            if number is not None:
                counts[cluster, number] += 1
    kept: dict[int, int] = {}
    taken: set[int] = set()
    for (cluster, number), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0][1], first[item[0][0]])):
        if cluster not in kept and number not in taken:
            kept[cluster] = number
            taken.add(number)
    return kept


def clusters_without_id(clusters: Sequence[int | None], kept: Mapping[int, int], rank: Sequence[int]) -> list[int]:
    """The clusters that need a new number, in the order of their first members by rank."""
    waiting = [(rank[index], cluster) for index, cluster in enumerate(clusters) if cluster is not None and cluster not in kept]
    return list(dict.fromkeys(cluster for _, cluster in sorted(waiting, key=lambda item: item[0])))
