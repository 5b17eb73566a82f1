"""Assignment: decides who each local speaker is. Pure functions; identify.py reads the inputs and writes the results.

The first of these rules that applies to a local speaker decides. Scores are cosines (cosine.py).

1. *Contradiction*: corrections about it cannot all be true. Unknown, with the reason.
2. *Correction*: a correction names it, however short it is and whatever its vector.
3. Nothing to compare (no vector, one of another model or without direction, or the vector of two voices): Unknown, with the
   reason.
4. *Too short*: less than 2 s of clear speech. Unknown.
5. *Profile*: the nearest person is at the threshold or above, and nearer than the second by the margin. People whom corrections
   exclude are ignored, both as the first and as the second.
6. *Ambiguous*: the nearest person is at the threshold or above, but the second is too near. Unknown.
7. *Voice*: all remaining speakers are clustered into anonymous voices (clustering.py).

**Same voice.** Speakers that corrections make one voice are decided together. If a profile names some of them, all get that
person; if profiles name two people, all are Unknown. If there is no person, they are one voice, including those that are too
short or have no vector.

**Same person.** In one video, two local speakers can be the same person (split by the diarization) only if the cosine between
them is at the threshold or above. Otherwise the one with the higher score gets the person and the other is Unknown
(*contested*). The same applies to any two speakers that a correction makes different. A speaker named by a correction is never
contested; it contests others if it has a vector and enough clear speech.

No speaker gets a name by default.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from earshot.models.registry import Thresholds
from earshot.speakers.voices.clustering import Clustering, Nodes, Pair, cluster, connected_labels, empty_clustering
from earshot.speakers.voices.cosine import SCALE, as_cosine, as_product, is_usable, quantize
from earshot.speakers.voices.identity_constraints import IdentityConstraints
from earshot.speakers.voices.profiles import Nearest, Profiles, nearest_people
from earshot.speakers.voices.speakers import Key, Speakers

MIN_CLEAR_S = 2.0

NO_DIRECTION = "no vector: it is all zeros, or has values that are not finite"
TOO_SHORT = f"too short: less than {MIN_CLEAR_S:g} s of clear speech"
AMBIGUOUS = "ambiguous: a second person is almost as near"
CONTESTED = "contested: another speaker, who cannot be the same person, is nearer to this person"
TWO_PEOPLE = "contradiction: a correction makes this one voice with others, but they match two people"


class DecidedBy(StrEnum):
    """What decided who a local speaker is, as stored in table `identities`."""

    CORRECTION = "correction"
    PROFILE = "profile"
    VOICE = "voice"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Assignment:
    """Who one local speaker is. `cluster` is a number that the members of one anonymous voice share; it is not the voice id.

    The other fields are columns of table `identities`.
    """

    person_id: int | None = None
    cluster: int | None = None
    decided_by: DecidedBy = DecidedBy.NOTHING
    reason: str = ""
    score: float | None = None
    margin: float | None = None
    component: int | None = None


@dataclass(frozen=True)
class Assignments:
    """One decision per speaker, in order. `clustered`: how many speakers were clustered again."""

    decisions: Sequence[Assignment]
    clustered: int


@dataclass(frozen=True)
class IndexedConstraints:
    """IdentityConstraints by position, without speakers that no longer exist.

    `groups`: for each speaker in a `same` group, all its members. `different`: in both directions, for all members of groups.
    """

    named: dict[int, int]
    never: dict[int, frozenset[int]]
    groups: dict[int, tuple[int, ...]]
    different: dict[int, set[int]]
    contradictions: dict[int, str]

    def group(self, index: int) -> tuple[int, ...]:
        """All speakers that corrections make one voice with this one, itself included."""
        return self.groups.get(index, (index,))


def assign(
    speakers: Speakers,
    profiles: Profiles,
    constraints: IdentityConstraints,
    limits: Thresholds,
    before: Clustering | None = None,
) -> Assignments:
    """Decide who each of these speakers is. `before`: their last clustering, so that only what changed is clustered again."""
    indexed = index_constraints(speakers.keys, constraints)
    comparable, grid = _on_grid(speakers)
    long_enough = speakers.clear_s >= MIN_CLEAR_S
    usable = comparable & long_enough
    nearest = nearest_people(grid, comparable, profiles, indexed.named, indexed.never)
    decisions = [Assignment(reason=reason) for reason in _reasons(speakers, comparable, long_enough, indexed)]
    undecided = usable & ~_mask(len(grid), [*indexed.named, *indexed.contradictions])
    near = undecided & (nearest.first >= as_product(limits.threshold))
    sure = near & ~(nearest.first - nearest.second < as_product(limits.margin))  # NaN: there is no second person
    for index in np.flatnonzero(near & ~sure):
        decisions[index] = _with_person(Assignment(reason=AMBIGUOUS), None, nearest, int(index))
    decided = _assign_people(decisions, speakers.keys, grid, usable, sure, nearest, profiles.people, indexed, limits.threshold)
    nodes = np.flatnonzero(undecided & ~near & ~_mask(len(grid), decided))
    clustered = _voices(decisions, speakers.keys, grid, nodes, indexed, limits.threshold, before)
    _complete_groups(decisions, indexed, decided)
    return Assignments(decisions, clustered)


# --- inputs --------------------------------------------------------------------------------------------------------------


def index_constraints(keys: Sequence[Key], constraints: IdentityConstraints) -> IndexedConstraints:
    """The constraints by position among these keys."""
    position = {key: index for index, key in enumerate(keys)}

    def existing(pairs: Iterable[tuple[Key, Key]]) -> frozenset[Pair]:
        return frozenset((position[left], position[right]) for left, right in pairs if left in position and right in position)

    groups = _same_groups(len(keys), existing(constraints.same))
    return IndexedConstraints(
        named={position[key]: person for key, person in constraints.named.items() if key in position},
        never={position[key]: people for key, people in constraints.never.items() if key in position},
        groups=groups,
        different=_spread(existing(constraints.different), groups),
        contradictions={position[key]: reason for key, reason in constraints.contradictions.items() if key in position},
    )


def _same_groups(count: int, same: frozenset[Pair]) -> dict[int, tuple[int, ...]]:
    label, members = connected_labels(count, same), dict[int, list[int]]()
    ends = sorted({end for pair in same for end in pair})
    for end in ends:
        members.setdefault(int(label[end]), []).append(end)
    return {end: tuple(members[int(label[end])]) for end in ends}


def _spread(pairs: Iterable[Pair], groups: dict[int, tuple[int, ...]]) -> dict[int, set[int]]:
    """Each pair extended to all members of both groups, in both directions."""
    different: dict[int, set[int]] = {}
    for first, second in pairs:
        for left in groups.get(first, (first,)):
            for right in groups.get(second, (second,)):
                different.setdefault(left, set()).add(right)
                different.setdefault(right, set()).add(left)
    return different


def _on_grid(speakers: Speakers) -> tuple[np.ndarray, np.ndarray]:
    """Which speakers can be compared, and all vectors on the grid, with zeros for those that cannot."""
    unobstructed = np.array([not obstacle for obstacle in speakers.obstacles], dtype=bool)
    comparable = unobstructed & is_usable(speakers.vectors)
    grid = np.zeros_like(speakers.vectors)
    grid[comparable] = quantize(speakers.vectors[comparable])
    return comparable, grid


def _reasons(
    speakers: Speakers, comparable: np.ndarray, long_enough: np.ndarray, constraints: IndexedConstraints
) -> Iterator[str]:
    """For each speaker, why its voice cannot decide who it is; "" if it can."""
    for index, obstacle in enumerate(speakers.obstacles):
        if index in constraints.contradictions:
            yield f"contradiction: {constraints.contradictions[index]}"
        elif obstacle or not comparable[index]:
            yield obstacle or NO_DIRECTION
        else:
            yield "" if long_enough[index] else TOO_SHORT


def _mask(count: int, positions: Iterable[int]) -> np.ndarray:
    mask = np.zeros(count, dtype=bool)
    mask[list(positions)] = True
    return mask


# --- people --------------------------------------------------------------------------------------------------------------


def _with_person(decision: Assignment, person_id: int | None, nearest: Nearest, index: int) -> Assignment:
    """The decision with this person, and the speaker's score and margin."""
    first, second = nearest.first[index], nearest.second[index]
    return Assignment(
        person_id=person_id,
        decided_by=decision.decided_by,
        reason=decision.reason,
        score=_plain(as_cosine(first)),
        margin=_plain((first - second) / SCALE),
    )


def _plain(value: np.ndarray | float) -> float | None:
    """The value for SQL: None for NaN."""
    return None if np.isnan(value) else float(value)


@dataclass(frozen=True)
class _Candidate:
    """Speakers that are one voice, and the person whom they match or whom a correction names."""

    person_id: int
    score: float
    members: tuple[int, ...]


def _assign_people(
    decisions: list[Assignment],
    keys: Sequence[Key],
    grid: np.ndarray,
    usable: np.ndarray,
    sure: np.ndarray,
    nearest: Nearest,
    people: np.ndarray,
    constraints: IndexedConstraints,
    threshold: float,
) -> set[int]:
    """Decide all speakers for whom a correction or a profile decides, and return their positions."""
    candidates = [_Candidate(person, np.inf, (index,)) for index, person in constraints.named.items()]
    decided = set(constraints.named) | set(constraints.contradictions)
    for index in np.flatnonzero(sure):
        group = constraints.group(int(index))
        if decided.isdisjoint(group):
            decided.update(group)
            persons = {int(people[nearest.person[member]]) for member in group if sure[member]}
            if len(persons) == 1:
                score = max(nearest.first[member] for member in group if sure[member])
                candidates.append(_Candidate(persons.pop(), score, group))
            else:
                for member in group:
                    decisions[member] = Assignment(reason=TWO_PEOPLE)
    for candidate, accepted in _resolve_rivals(candidates, keys, grid, usable, constraints, as_product(threshold)):
        for member in candidate.members:
            by_profile = member not in constraints.named and sure[member]
            decision = (
                Assignment(decided_by=DecidedBy.PROFILE if by_profile else DecidedBy.CORRECTION)
                if accepted
                else Assignment(reason=CONTESTED)
            )
            decisions[member] = _with_person(decision, candidate.person_id if accepted else None, nearest, member)
    return decided


def _resolve_rivals(
    candidates: Iterable[_Candidate],
    keys: Sequence[Key],
    grid: np.ndarray,
    usable: np.ndarray,
    constraints: IndexedConstraints,
    level: float,
) -> Iterator[tuple[_Candidate, bool]]:
    """Each candidate, best first, and whether it is accepted beside the better ones."""
    holders: dict[tuple[int, str], list[int]] = {}
    accepted_as: dict[int, int] = {}
    for candidate in sorted(candidates, key=lambda candidate: (-candidate.score, candidate.members)):
        person, members = candidate.person_id, candidate.members
        rivals = ((member, rival) for member in members for rival in holders.get((person, keys[member][0]), ()))
        different = any(
            accepted_as.get(other) == person for member in members for other in constraints.different.get(member, ())
        )
        unlike = any(usable[member] and float(grid[member] @ grid[rival]) < level for member, rival in rivals)
        accepted = candidate.score == np.inf or not (different or unlike)
        for member in members if accepted else ():
            accepted_as[member] = person
            if usable[member]:
                holders.setdefault((person, keys[member][0]), []).append(member)
        yield candidate, accepted


# --- voices --------------------------------------------------------------------------------------------------------------


def _voices(
    decisions: list[Assignment],
    keys: Sequence[Key],
    grid: np.ndarray,
    positions: np.ndarray,
    constraints: IndexedConstraints,
    threshold: float,
    before: Clustering | None,
) -> int:
    """Cluster the speakers at these positions; returns how many were clustered again."""
    node_of = {int(position): index for index, position in enumerate(positions)}
    groups = [[member for member in group if member in node_of] for group in dict.fromkeys(constraints.groups.values())]
    same = [pair for group in groups for pair in pairwise(group)]
    different = [(left, right) for left, others in constraints.different.items() for right in others if left < right]
    nodes = Nodes(
        [keys[position] for position in positions],
        grid[positions],
        frozenset((node_of[left], node_of[right]) for left, right in same),
        frozenset((node_of[left], node_of[right]) for left, right in different if left in node_of and right in node_of),
    )
    clustering = cluster(nodes, threshold, _of_positions(before or empty_clustering(len(keys)), positions))
    for index, position in enumerate(positions):
        decisions[position] = Assignment(
            cluster=int(positions[clustering.cluster[index]]),
            decided_by=DecidedBy.VOICE,
            score=_plain(clustering.score[index]),
            margin=_plain(clustering.margin[index]),
            component=int(clustering.component[index]),
        )
    return clustering.clustered


def _of_positions(before: Clustering, positions: np.ndarray) -> Clustering:
    return Clustering(before.component[positions], before.cluster[positions], before.score[positions], before.margin[positions])


def _complete_groups(decisions: list[Assignment], constraints: IndexedConstraints, decided: set[int]) -> None:
    """Give the members of `same` groups who could not be clustered the voice of their group."""
    for group in dict.fromkeys(constraints.groups.values()):
        if decided.isdisjoint(group):
            clusters = [decisions[member].cluster for member in group if decisions[member].cluster is not None]
            for member in group:
                if decisions[member].cluster is None:
                    cluster_id = clusters[0] if clusters else group[0]
                    decisions[member] = Assignment(cluster=cluster_id, decided_by=DecidedBy.CORRECTION)
