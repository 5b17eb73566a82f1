"""Changes of who speaks: after each, all speakers are identified again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from earshot.speakers.people.directory import describe_changes, labels
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.storage.locks import lock


@dataclass(frozen=True)
class SpeakerChange:
    """The result of a change. `message` says what was changed, `renamed` which speakers have a new name because of it:
    `2 speakers in 1 video are now Ana.`

    `number` is that of the new correction, None if there is none. `person` is the person concerned, None if the change is only
    about voices; `new_person`: it added that person. `overruled` are earlier corrections that it overrides where they overlap.
    """

    message: str
    renamed: tuple[str, ...]
    number: int | None = None
    person: str | None = None
    new_person: bool = False
    overruled: tuple[int, ...] = ()


@dataclass
class Identification:
    """The input and result of `identifying_again()`: the block sets `correction` to the number of a new correction, or
    `former_numbers` to the voice numbers to restore after an undo; afterwards `renamed` has a sentence for each new name."""

    correction: int | None = None
    former_numbers: Mapping[Key, int] = field(default_factory=dict)
    renamed: tuple[str, ...] = ()


@contextmanager
def identifying_again(database: Database) -> Iterator[Identification]:
    """Identify all speakers again after the block. A lock keeps other processes from changing anything meanwhile."""
    from earshot.speakers.people.identify import PEOPLE_LOCK, identify  # loads pandas, which reading does not need

    with lock(database.url, PEOPLE_LOCK):
        before, identification = labels(database), Identification()
        yield identification
        identify(database, correction_id=identification.correction, restored=identification.former_numbers)
        identification.renamed = tuple(describe_changes(before, labels(database)))
