"""Conflicts: claims that cannot all be true, and the corrections behind them. Pure functions.

`same` puts local speakers into groups, each of which is one voice. A conflict is a group with two people in it; one that
is said to be a person and never that person; one whose members are also said to be different; and two that are said to be
different and one person. Nobody in it can be named, since nothing tells which of the corrections is the wrong one.
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
    """The local speakers who cannot be named, and the corrections that contradict each other."""

    speakers: frozenset[Key]
    corrections: frozenset[int]

    @property
    def reason(self) -> str:
        """It in words, without names."""
        if len(self.corrections) == 1:
            return f"correction {join_numbers(self.corrections)} contradicts itself"
        return f"corrections {join_numbers(self.corrections)} contradict each other"


class SameVoiceGroups:
    """Who is one voice with whom, by corrections `same`: correction -> all whom it says to be one."""

    def __init__(self, same: Mapping[int, frozenset[Key]]) -> None:
        self._members = same
        self._corrections: defaultdict[Key, list[int]] = defaultdict(list)
        for number, keys in same.items():
            for key in keys:
                self._corrections[key].append(number)
        self._groups: dict[Key, frozenset[Key]] = {}

    def group_of(self, key: Key) -> frozenset[Key]:
        """All who are one voice with this one, himself among them."""
        if key not in self._groups:
            group = frozenset(self._reached(key))
            self._groups |= dict.fromkeys(group, group)
        return self._groups[key]

    def linking_corrections(self, one: Key, other: Key) -> frozenset[int]:
        """The fewest corrections that make these two one voice; none for one and himself."""
        before, numbers = self._reached(one), set()
        while other != one:
            other, number = before[other]
            numbers.add(number)
        return frozenset(numbers)

    def _reached(self, start: Key) -> dict[Key, tuple[Key, int]]:
        """From whom, and by which correction, each of the group is reached; nearest first."""
        found, waiting, used = {start: (start, 0)}, deque([start]), set()
        while waiting:
            key = waiting.popleft()
            for number in self._corrections.get(key, ()):
                if number not in used:
                    used.add(number)
                    new = [member for member in sorted(self._members[number]) if member not in found]
                    found |= dict.fromkeys(new, (key, number))
                    waiting.extend(new)
        return found


def conflicts_among(claims: SpeakerClaims) -> list[Conflict]:
    """All that cannot be true together, ambiguous speakers apart: those are no slip of whoever corrected."""
    groups = SameVoiceGroups(claims.same)
    people = people_of(groups, claims.named)
    spoken_of = [*claims.named, *claims.never, *(key for keys in claims.same.values() for key in keys)]
    found: dict[Conflict, None] = {}
    for group in dict.fromkeys(groups.group_of(key) for key in sorted(set(spoken_of))):
        found |= dict.fromkeys(_inside(group, groups, people.get(group, {}), claims))
    for number, (one, other) in claims.different.items():
        found |= dict.fromkeys(_between(number, one, other, groups, people))
    return list(found)


def people_of(groups: SameVoiceGroups, named: Mapping[Key, Named]) -> dict[frozenset[Key], dict[int, tuple[Key, Named]]]:
    """The people in each group in which somebody is named: for each, a member who is, and by which corrections."""
    found: defaultdict[frozenset[Key], dict[int, tuple[Key, Named]]] = defaultdict(dict)
    for key in sorted(named):
        found[groups.group_of(key)].setdefault(named[key].person_id, (key, named[key]))
    return dict(found)


def _inside(
    group: frozenset[Key], groups: SameVoiceGroups, people: Mapping[int, tuple[Key, Named]], claims: SpeakerClaims
) -> list[Conflict]:
    found = []
    for (one, said), (other, also) in combinations(people.values(), 2):
        found.append(Conflict(group, said.corrections | also.corrections | groups.linking_corrections(one, other)))
    for key in sorted(group & claims.never.keys()):
        for person in sorted(claims.never[key].keys() & people.keys()):
            one, said = people[person]
            numbers = said.corrections | claims.never[key][person] | groups.linking_corrections(one, key)
            found.append(Conflict(group, numbers))
    return found


def _between(
    number: int,
    one: frozenset[Key],
    other: frozenset[Key],
    groups: SameVoiceGroups,
    people: Mapping[frozenset[Key], Mapping[int, tuple[Key, Named]]],
) -> list[Conflict]:
    """Where both sides of a `different` meet in one group, or in two groups that are one person."""
    here, there = ({groups.group_of(key): key for key in sorted(side, reverse=True)} for side in (one, other))
    found = [
        Conflict(group, groups.linking_corrections(here[group], there[group]) | {number}) for group in here if group in there
    ]
    of_person: defaultdict[int, list[frozenset[Key]]] = defaultdict(list)
    for group in there:
        for person in people.get(group, ()):
            of_person[person].append(group)
    for left in here:
        for person in people.get(left, ()):
            for right in of_person[person]:
                if left != right:
                    numbers = frozenset({number})
                    for group, key in ((left, here[left]), (right, there[right])):
                        named_key, said = people[group][person]
                        numbers |= said.corrections | groups.linking_corrections(named_key, key)
                    found.append(Conflict(left | right, numbers))
    return found
