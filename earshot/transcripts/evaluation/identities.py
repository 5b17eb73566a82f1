"""Identities: are people recognized across videos, and never taken for each other? Pure functions.

An appearance is a person of a reference in a video, and the identity (a person's name or a numbered voice) that has most of the
person's time there. Two appearances of one person are joined if they have one identity; two people are merged if they have one.

A label that many references use, such as spk00, SPEAKER_01, A or 3, means somebody else in each recording: such people are
compared with others of the same recording only.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LOCAL = re.compile(r"(?:(?:speaker|spkr?|s)[\s_-]*)?\d+|[a-z]|(?:speaker|spkr?)[\s_-]*[a-z]?", re.IGNORECASE)


class PersonInVideo(NamedTuple):
    """A person in a video, and ours of the same time; `identity` is None if ours is not identified."""

    video_id: str
    person: str
    identity: str | None


@dataclass(frozen=True)
class Identities:
    """Pairs of appearances in which the person is the same, or not, and how many of them have one identity.

    `split`: people of several videos with their several identities, None for not identified. `merged`: identities with their
    several people. `unidentified` counts appearances.
    """

    appearances: int
    unidentified: int
    recurring_pairs: int
    joined_pairs: int
    different_pairs: int
    merged_pairs: int
    split: Mapping[str, tuple[str | None, ...]]
    merged: Mapping[str, tuple[str, ...]]


def is_local(label: str) -> bool:
    """Whether the label means somebody else in each recording."""
    return _LOCAL.fullmatch(label.strip()) is not None


def compare_identities(appearances: Iterable[PersonInVideo]) -> Identities:
    """Counts pairs; an appearance that is given twice counts once."""
    everyone = list(dict.fromkeys(appearances))
    known = [each for each in everyone if not is_local(each.person)]
    named = [each for each in everyone if each.identity is not None]
    return Identities(
        appearances=len(everyone),
        unidentified=len(everyone) - len(named),
        recurring_pairs=_pairs(each.person for each in known),
        joined_pairs=_pairs((each.person, each.identity) for each in known if each.identity is not None),
        different_pairs=_different(everyone),
        merged_pairs=sum(_different(group) for group in _grouped(named).values()),
        split=_split(known),
        merged={identity: people for identity, group in _grouped(named).items() if (people := _merged(group))},
    )


def _pairs(keys: Iterable[Hashable]) -> int:
    """The number of pairs with the same key."""
    return sum(count * (count - 1) // 2 for count in Counter(keys).values())


def _different(appearances: Sequence[PersonInVideo]) -> int:
    """The number of pairs that are known to be different people."""
    known = [each for each in appearances if not is_local(each.person)]
    across = len(known) * (len(known) - 1) // 2 - _pairs(each.person for each in known)
    with_local = _pairs(each.video_id for each in appearances) - _pairs(each.video_id for each in known)
    return across + with_local


def _grouped(named: Iterable[PersonInVideo]) -> dict[str, list[PersonInVideo]]:
    groups: defaultdict[str, list[PersonInVideo]] = defaultdict(list)
    for each in named:
        groups[each.identity or ""].append(each)
    return dict(sorted(groups.items()))


def _split(known: Iterable[PersonInVideo]) -> dict[str, tuple[str | None, ...]]:
    identities: defaultdict[str, dict[str | None, None]] = defaultdict(dict)
    for each in known:
        identities[each.person][each.identity] = None
    return {person: tuple(several) for person, several in sorted(identities.items()) if len(several) > 1}


def _merged(group: Sequence[PersonInVideo]) -> tuple[str, ...]:
    """The people of one identity, if any two are known to be different; local ones with their video."""
    if not _different(group):
        return ()
    return tuple(sorted({f"{each.person} in {each.video_id}" if is_local(each.person) else each.person for each in group}))
