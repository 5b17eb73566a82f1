"""people.yaml: people by name, and recordings in which they speak.

`read_people()` reads the whole file, or rejects it with all its mistakes together. earshot/config/people_model.py defines the
keys; docs/reference/people-file.md explains them to users. Recordings are not opened here, and need not exist yet.
"""

from dataclasses import dataclass
from pathlib import Path

from earshot.common.excerpt import Excerpt
from earshot.config.mistakes import is_empty, read_text


@dataclass(frozen=True)
class ListedPerson:
    """One entry of people.yaml. No two have the same name, and no two excerpts overlap."""

    name: str
    line: int  # of the name
    notes: str
    excerpts: tuple[Excerpt, ...]


def read_people(path: Path) -> tuple[ListedPerson, ...]:
    """The people in the file, in its order; none if it is empty or missing. Raises InvalidConfig with every mistake."""
    text = read_text(path, "EARSHOT_PEOPLE", may_miss=True)
    if is_empty(text, "people"):
        return ()
    from earshot.config.people_model import read_entries  # loading pydantic takes 0.2 s

    return tuple(ListedPerson(*entry) for entry in read_entries(path, text))
