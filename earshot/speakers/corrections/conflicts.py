"""Conflicts: claims that cannot all be true, and the corrections behind them. Pure functions.

`same` corrections put local speakers into groups, each of which is one voice. There are four kinds of conflict: a group has two
names; a group both is a person and never that person; members of one group are also `different`; two groups that are
`different` have the same name. None of the speakers in a conflict can be named, because any of its corrections may be wrong.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from earshot.common.text import join_numbers
from earshot.speakers.corrections.claims import Named, SpeakerClaims
from earshot.speakers.voices.speakers import Key


@dataclass(frozen=True)
class Conflict:
    """Local speakers who cannot be named, and the corrections that contradict each other about them."""

    speakers: frozenset[Key]
    corrections: frozenset[int]

    @property
    def reason(self) -> str:
        """What is wrong, without people's names."""
        if len(self.corrections) == 1:
            return f"correction {join_numbers(self.corrections)} contradicts itself"
        return f"corrections {join_numbers(self.corrections)} contradict each other"


class SameVoiceGroups:
    """The groups of speakers that are one voice. `same`: per correction, all speakers that it makes one voice."""

    def __init__(self, same: Mapping[int, frozenset[Key]]) -> None:
        self._members = same
        self._corrections: defaultdict[Key, list[int]] = defaultdict(list)
        for correction_id, keys in same.items():
            for key in keys:
                self._corrections[key].append(correction_id)
        self._groups: dict[Key, frozenset[Key]] = {}

    def group_of(self, key: Key) -> frozenset[Key]:
        """All speakers that are one voice with this one, itself included."""
        if key not in self._groups:
            group = frozenset(self._reached(key))
            self._groups |= dict.fromkeys(group, group)
        return self._groups[key]

    def linking_corrections(self, start: Key, end: Key) -> frozenset[int]:
        """The fewest corrections that make these two one voice; none if they are the same speaker."""
        previous, linking = self._reached(start), set[int]()
        while end != start:
            end, correction_id = previous[end]
            linking.add(correction_id)
        return frozenset(linking)

    def _reached(self, start: Key) -> dict[Key, tuple[Key, int]]:
        """For each member of the group, the previous one on the shortest path from `start`, and the linking correction."""
        previous, queue, used = {start: (start, 0)}, deque([start]), set[int]()
        while queue:
            key = queue.popleft()
            for correction_id in self._corrections.get(key, ()):
                if correction_id not in used:
                    used.add(correction_id)
                    new = [member for member in sorted(self._members[correction_id]) if member not in previous]
                    previous |= dict.fromkeys(new, (key, correction_id))
                    queue.extend(new)
        return previous


def conflicts_among(claims: SpeakerClaims) -> list[Conflict]:
    """All conflicts. Ambiguous speakers are not among them: the diarization is wrong there, not a correction."""
    groups = SameVoiceGroups(claims.same)
    people = people_of(groups, claims.named)
    claimed = [*claims.named, *claims.never, *(key for keys in claims.same.values() for key in keys)]
    conflicts: dict[Conflict, None] = {}
    for group in dict.fromkeys(groups.group_of(key) for key in sorted(set(claimed))):
        conflicts |= dict.fromkeys(_inside(group, groups, people.get(group, {}), claims))
    for correction_id, (left, right) in claims.different.items():
        conflicts |= dict.fromkeys(_between(correction_id, left, right, groups, people))
    return list(conflicts)


def people_of(groups: SameVoiceGroups, named: Mapping[Key, Named]) -> dict[frozenset[Key], dict[int, tuple[Key, Named]]]:
    """The people in each group that has any: for each person, one member with that name, and the corrections that gave it."""
    people: defaultdict[frozenset[Key], dict[int, tuple[Key, Named]]] = defaultdict(dict)
    for key in sorted(named):
        people[groups.group_of(key)].setdefault(named[key].person_id, (key, named[key]))
    return dict(people)


def _inside(
    group: frozenset[Key], groups: SameVoiceGroups, people: Mapping[int, tuple[Key, Named]], claims: SpeakerClaims
) -> list[Conflict]:
    """Conflicts within one group: two names, or a name that `never` excludes."""
    conflicts = []
    for (left, left_name), (right, right_name) in combinations(people.values(), 2):
        linking = groups.linking_corrections(left, right)
        conflicts.append(Conflict(group, left_name.corrections | right_name.corrections | linking))
    for key in sorted(group & claims.never.keys()):
        for person in sorted(claims.never[key].keys() & people.keys()):
            member, name = people[person]
            corrections = name.corrections | claims.never[key][person] | groups.linking_corrections(member, key)
            conflicts.append(Conflict(group, corrections))
    return conflicts


def _between(
    correction_id: int,
    left: frozenset[Key],
    right: frozenset[Key],
    groups: SameVoiceGroups,
    people: Mapping[frozenset[Key], Mapping[int, tuple[Key, Named]]],
) -> list[Conflict]:
    """Conflicts of a `different` correction: both sides are in one group, or in two groups with the same name."""
    left_groups, right_groups = ({groups.group_of(key): key for key in sorted(side, reverse=True)} for side in (left, right))
    conflicts = [
        Conflict(group, groups.linking_corrections(left_groups[group], right_groups[group]) | {correction_id})
        for group in left_groups
        if group in right_groups
    ]
    groups_of_person: defaultdict[int, list[frozenset[Key]]] = defaultdict(list)
    for group in right_groups:
        for person in people.get(group, ()):
            groups_of_person[person].append(group)
    for left_group in left_groups:
        for person in people.get(left_group, ()):
            for right_group in groups_of_person[person]:
                if left_group != right_group:
                    corrections = frozenset({correction_id})
                    for group, key in ((left_group, left_groups[left_group]), (right_group, right_groups[right_group])):
                        member, name = people[group][person]
                        corrections |= name.corrections | groups.linking_corrections(member, key)
                    conflicts.append(Conflict(left_group | right_group, corrections))
    return conflicts
