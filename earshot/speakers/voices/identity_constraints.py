"""What corrections bind the assignment of speakers to. Data alone; earshot/speakers/corrections derives it."""

from dataclasses import dataclass

from earshot.speakers.voices.speakers import Key

KeyPair = tuple[Key, Key]


@dataclass(frozen=True)
class IdentityConstraints:
    """What corrections bind the machine to. Who is in `contradictions` (with the reason, without names) is in no other part.

    `same` has just enough pairs to join who is one voice; `different` has each pair. The smaller key of a pair comes first.
    """

    named: dict[Key, int]
    never: dict[Key, frozenset[int]]
    same: frozenset[KeyPair]
    different: frozenset[KeyPair]
    contradictions: dict[Key, str]
