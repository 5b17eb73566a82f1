"""The constraints of corrections on the assignment of speakers. earshot/speakers/corrections derives them."""

from dataclasses import dataclass

from earshot.speakers.voices.speakers import Key

KeyPair = tuple[Key, Key]


@dataclass(frozen=True)
class IdentityConstraints:
    """Constraints by local speaker. Speakers in `contradictions` (with the reason, without names) are in no other field.

    `same` has just enough pairs to connect each group; `different` has every pair. The smaller key of a pair comes first.
    """

    named: dict[Key, int]
    never: dict[Key, frozenset[int]]
    same: frozenset[KeyPair]
    different: frozenset[KeyPair]
    contradictions: dict[Key, str]
