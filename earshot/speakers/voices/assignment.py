"""Identity: who each local speaker is. Pure functions; the order of it, and what is read and written, is identify.py.

A local speaker is decided by the first of these that applies. Scores are cosines (cosine.py).

1. *Contradiction*: corrections that cannot all be true speak of it. Unknown, with the reason.
2. *Correction*: one names it. That decides, however short it is and whatever its vector.
3. Nothing to compare (no vector, one of another model, one without direction): Unknown, with the reason.
4. *Too short*: less than 2 s of clear speech. Unknown.
5. *Profile*: the nearest person is at the threshold or above, and nearer than the second by the margin. A person that a
   correction says it never is takes no part, neither as the first nor as the second: whoever is next is held to the same
   threshold, and to the same margin over the one after.
6. *Ambiguous*: at the threshold, but the second is too near. Unknown.
7. *Voice*: an anonymous voice, found by clustering all those that come to here (clustering.py).

**One voice by correction.** Speakers that are `same` are decided together. A person that a profile gives to some of them is
everybody's; two people, and all are Unknown. Where there is no person, they are one voice, those among them who are too short
or have no vector included.

**One person at a time.** In one video a person can have two local speakers (the diarization split him) only where these
are themselves at the threshold or above. Else the one with the higher score keeps the person and the other is Unknown
(*contested*), as is the lower of two that a correction says are different. What a correction named is never contested; it
contests others where it is itself long enough to tell.

What cannot be told is never filled in: there is no way through this module that names a speaker by default.
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

NO_DIRECTION = "no vector: its own says nothing (all zeros, or values that are no numbers)"
TOO_SHORT = f"too short: less than {MIN_CLEAR_S:g} s of clear speech"
AMBIGUOUS = "ambiguous: a second person is nearly as near"
CONTESTED = "contested: another speaker that cannot be the same person is nearer to this person"
TWO_PEOPLE = "contradiction: a correction says that this is one voice with others, and they are near to two people"


class DecidedBy(StrEnum):
    """What decided who a local speaker is, as table `identities` holds it."""

    CORRECTION = "correction"
    PROFILE = "profile"
    VOICE = "voice"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Assignment:
    """Who one local speaker is. `cluster` is a number that the members of one anonymous voice share, not the voice's own.

    `decided_by`, `reason`, `score`, `margin` and `component` are those of table `identities`.
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
    """A decision for each speaker, in order; `clustered`: how many had to be clustered again."""

    decisions: Sequence[Assignment]
    clustered: int


@dataclass(frozen=True)
class IndexedConstraints:
    """What corrections say, by position: Rulings without those that are gone.

    `groups`: the members of a group of `same` speakers, under each of them; `different`: both directions, spread over groups.
    """

    named: dict[int, int]
    never: dict[int, frozenset[int]]
    groups: dict[int, tuple[int, ...]]
    different: dict[int, set[int]]
    contradictions: dict[int, str]

    def group(self, index: int) -> tuple[int, ...]:
        """All that are one voice with this speaker by correction, itself included."""
        return self.groups.get(index, (index,))


def assign(
    speakers: Speakers, profiles: Profiles, rulings: IdentityConstraints, limits: Thresholds, before: Clustering | None = None
) -> Assignments:
    """Who each of these speakers is. `before`: how they were clustered last time, so that only what changed is done again."""
    said = index_constraints(speakers.keys, rulings)
    comparable, grid = _on_grid(speakers)
    long_enough = speakers.clear_s >= MIN_CLEAR_S
    tellable = comparable & long_enough
    nearest = nearest_people(grid, comparable, profiles, said.named, said.never)
    decided = [Assignment(reason=reason) for reason in _reasons(speakers, comparable, long_enough, said)]
    open_ones = tellable & ~_mask(len(grid), [*said.named, *said.contradictions])
    near = open_ones & (nearest.first >= as_product(limits.threshold))
    sure = near & ~(nearest.first - nearest.second < as_product(limits.margin))  # NaN: nobody is second
    for index in np.flatnonzero(near & ~sure):
        decided[index] = _with_person(Assignment(reason=AMBIGUOUS), None, nearest, int(index))
    settled = _assign_people(decided, speakers.keys, grid, tellable, sure, nearest, profiles.people, said, limits.threshold)
    nodes = np.flatnonzero(open_ones & ~near & ~_mask(len(grid), settled))
    clustered = _voices(decided, speakers.keys, grid, nodes, said, limits.threshold, before)
    _complete_groups(decided, said, settled)
    return Assignments(decided, clustered)


def kind_of(reason: str) -> str:
    """What an Unknown is counted under: its reason up to the colon."""
    return reason.partition(":")[0]


# --- what is known -------------------------------------------------------------------------------------------------------


def index_constraints(keys: Sequence[Key], rulings: IdentityConstraints) -> IndexedConstraints:
    """The rulings by position among these keys."""
    place = {key: index for index, key in enumerate(keys)}

    def there(pairs: Iterable[tuple[Key, Key]]) -> frozenset[Pair]:
        return frozenset((place[one], place[other]) for one, other in pairs if one in place and other in place)

    groups = _same_groups(len(keys), there(rulings.same))
    return IndexedConstraints(
        named={place[key]: person for key, person in rulings.named.items() if key in place},
        never={place[key]: people for key, people in rulings.never.items() if key in place},
        groups=groups,
        different=_spread(there(rulings.different), groups),
        contradictions={place[key]: text for key, text in rulings.contradictions.items() if key in place},
    )


def _same_groups(count: int, same: frozenset[Pair]) -> dict[int, tuple[int, ...]]:
    label, members = connected_labels(count, same), dict[int, list[int]]()
    ends = sorted({end for pair in same for end in pair})
    for end in ends:
        members.setdefault(int(label[end]), []).append(end)
    return {end: tuple(members[int(label[end])]) for end in ends}


def _spread(pairs: Iterable[Pair], groups: dict[int, tuple[int, ...]]) -> dict[int, set[int]]:
    """Each pair as a pair of all that is said to be the same as its ends, both ways."""
    different: dict[int, set[int]] = {}
    for first, second in pairs:
        for one in groups.get(first, (first,)):
            for other in groups.get(second, (second,)):
                different.setdefault(one, set()).add(other)
                different.setdefault(other, set()).add(one)
    return different


def _on_grid(speakers: Speakers) -> tuple[np.ndarray, np.ndarray]:
    """Which speakers can be compared, and all vectors on the grid, zeros for the others."""
    free = np.array([not obstacle for obstacle in speakers.obstacles], dtype=bool)
    comparable = free & is_usable(speakers.vectors)
    grid = np.zeros_like(speakers.vectors)
    grid[comparable] = quantize(speakers.vectors[comparable])
    return comparable, grid


def _reasons(speakers: Speakers, comparable: np.ndarray, long_enough: np.ndarray, said: IndexedConstraints) -> Iterator[str]:
    """Why nothing but a correction can name a speaker; "" where its voice may."""
    for index, obstacle in enumerate(speakers.obstacles):
        if index in said.contradictions:
            yield f"contradiction: {said.contradictions[index]}"
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
    """The decision with this person, and the score and margin of the nearest."""
    first, second = nearest.first[index], nearest.second[index]
    return Assignment(
        person_id=person_id,
        decided_by=decision.decided_by,
        reason=decision.reason,
        score=_plain(as_cosine(first)),
        margin=_plain((first - second) / SCALE),
    )


def _plain(value: np.ndarray | float) -> float | None:
    """For SQL: NULL where there is none."""
    return None if np.isnan(value) else float(value)


@dataclass(frozen=True)
class _Candidate:
    """Speakers that are one voice, and the person that they are near to, or by correction are."""

    person_id: int
    score: float
    members: tuple[int, ...]


def _assign_people(
    decided: list[Assignment],
    keys: Sequence[Key],
    grid: np.ndarray,
    tellable: np.ndarray,
    sure: np.ndarray,
    nearest: Nearest,
    people: np.ndarray,
    said: IndexedConstraints,
    threshold: float,
) -> set[int]:
    """Decide all whom a correction or a profile speaks for, and return them: the others are voices, or stay as they are."""
    claims = [_Candidate(person, np.inf, (index,)) for index, person in said.named.items()]
    settled = set(said.named) | set(said.contradictions)
    for index in np.flatnonzero(sure):
        group = said.group(int(index))
        if settled.isdisjoint(group):
            settled.update(group)
            persons = {int(people[nearest.person[one]]) for one in group if sure[one]}
            if len(persons) == 1:
                claims.append(_Candidate(persons.pop(), max(nearest.first[one] for one in group if sure[one]), group))
            else:
                for one in group:
                    decided[one] = Assignment(reason=TWO_PEOPLE)
    for claim, kept in _resolve_rivals(claims, keys, grid, tellable, said, as_product(threshold)):
        for one in claim.members:
            by_profile = one not in said.named and sure[one]
            told = (
                Assignment(decided_by=DecidedBy.PROFILE if by_profile else DecidedBy.CORRECTION)
                if kept
                else Assignment(reason=CONTESTED)
            )
            decided[one] = _with_person(told, claim.person_id if kept else None, nearest, one)
    return settled


def _resolve_rivals(
    claims: Iterable[_Candidate],
    keys: Sequence[Key],
    grid: np.ndarray,
    tellable: np.ndarray,
    said: IndexedConstraints,
    level: float,
) -> Iterator[tuple[_Candidate, bool]]:
    """Each claim, and whether it holds beside those that are better."""
    holders: dict[tuple[int, str], list[int]] = {}
    held: dict[int, int] = {}
    for claim in sorted(claims, key=lambda claim: (-claim.score, claim.members)):
        rivals = ((one, rival) for one in claim.members for rival in holders.get((claim.person_id, keys[one][0]), ()))
        apart = any(held.get(other) == claim.person_id for one in claim.members for other in said.different.get(one, ()))
        unlike = any(tellable[one] and float(grid[one] @ grid[rival]) < level for one, rival in rivals)
        kept = claim.score == np.inf or not (apart or unlike)
        for one in claim.members if kept else ():
            held[one] = claim.person_id
            if tellable[one]:
                holders.setdefault((claim.person_id, keys[one][0]), []).append(one)
        yield claim, kept


# --- voices --------------------------------------------------------------------------------------------------------------


def _voices(
    decided: list[Assignment],
    keys: Sequence[Key],
    grid: np.ndarray,
    positions: np.ndarray,
    said: IndexedConstraints,
    threshold: float,
    before: Clustering | None,
) -> int:
    """Give the speakers at these positions their clusters; returns how many had to be clustered again."""
    place = {int(position): index for index, position in enumerate(positions)}
    chosen = [[one for one in group if one in place] for group in dict.fromkeys(said.groups.values())]
    chains = [pair for group in chosen for pair in pairwise(group)]
    apart = [(one, other) for one, others in said.different.items() for other in others if one < other]
    nodes = Nodes(
        [keys[position] for position in positions],
        grid[positions],
        frozenset((place[one], place[other]) for one, other in chains),
        frozenset((place[one], place[other]) for one, other in apart if one in place and other in place),
    )
    found = cluster(nodes, threshold, _of_positions(before or empty_clustering(len(keys)), positions))
    for index, position in enumerate(positions):
        decided[position] = Assignment(
            cluster=int(positions[found.cluster[index]]),
            decided_by=DecidedBy.VOICE,
            score=_plain(found.score[index]),
            margin=_plain(found.margin[index]),
            component=int(found.component[index]),
        )
    return found.clustered


def _of_positions(before: Clustering, positions: np.ndarray) -> Clustering:
    return Clustering(before.component[positions], before.cluster[positions], before.score[positions], before.margin[positions])


def _complete_groups(decided: list[Assignment], said: IndexedConstraints, settled: set[int]) -> None:
    """Whoever is one voice with others by correction, and could not be clustered, has their voice."""
    for group in dict.fromkeys(said.groups.values()):
        if settled.isdisjoint(group):
            clusters = [decided[one].cluster for one in group if decided[one].cluster is not None]
            for one in group:
                if decided[one].cluster is None:
                    decided[one] = Assignment(cluster=clusters[0] if clusters else group[0], decided_by=DecidedBy.CORRECTION)
