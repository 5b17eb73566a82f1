"""Changes of who speaks: after each, all speakers are identified again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser

from earshot.speakers.people.directory import describe_changes, labels
from earshot.speakers.tables.people_changes import sign_change
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database
from earshot.storage.locks import PEOPLE_LOCK, lock


@dataclass(frozen=True)
class SpeakerChange:
    """The result of a change. `message` says what was changed, `renamed` which speakers have a new name because of it:
    `2 speakers in 1 video are now Ana.`

    `number` undoes it: that of the new correction or change, None if there is none. `person` is the person concerned, None if
    the change is only about voices; `new_person`: it added that person. `overruled` are earlier corrections that it overrides
    where they overlap.
    """

    message: str
    renamed: tuple[str, ...]
    number: int | None = None
    person: str | None = None
    new_person: bool = False
    overruled: tuple[int, ...] = ()


@dataclass
class Identification:
    """The input and result of `identifying_again()`: the block sets `correction` to the number of a new correction, `change` to
    that of a rename or merge, or `former_numbers` to the voice numbers to restore after an undo; afterwards `renamed` has a
    sentence for each new name."""

    correction: int | None = None
    change: int | None = None
    former_numbers: Mapping[Key, int] = field(default_factory=dict)
    renamed: tuple[str, ...] = ()


@contextmanager
def identifying_again(database: Database, made_by: str | None = None) -> Iterator[Identification]:
    """Identify all speakers again after the block. A lock keeps other processes from changing anything meanwhile.

    `made_by` is stored with the new correction or change; by default, the name of the system's user.
    """
    from earshot.speakers.people.identify import identify  # loads pandas, which reading does not need

    with lock(database.url, PEOPLE_LOCK):
        before, identification = labels(database), Identification()
        yield identification
        number = identification.correction or identification.change
        if number is not None:
            sign_change(database, number, made_by or _user())
        identify(database, correction_id=identification.correction, restored=identification.former_numbers)
        identification.renamed = tuple(describe_changes(before, labels(database)))


def _user() -> str:
    """The name of the system's user; "" where it has none, as in some containers."""
    try:
        return getuser()
    except (KeyError, OSError):
        return ""
