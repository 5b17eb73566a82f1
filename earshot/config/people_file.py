"""people.yaml: people by name, and recordings in which they speak.

`read_people()` reads the whole file or refuses it with every mistake at once. Which keys there are is in
earshot/config/people_model.py, and for users in docs/reference/people-file.md. No recording is opened here, and none need be
there yet.
"""

from dataclasses import dataclass
from pathlib import Path

from earshot.common.excerpt import Excerpt
from earshot.config.mistakes import read_text


@dataclass(frozen=True)
class ListedPerson:
    """One entry of people.yaml. No two have the same name, and no two excerpts overlap."""

    name: str
    line: int  # on which the name stands
    notes: str
    excerpts: tuple[Excerpt, ...]


def read_people(path: Path) -> tuple[ListedPerson, ...]:
    """The people in the file, in its order; none where it is empty or missing. Raises InvalidConfig with every mistake."""
    from earshot.config.people_model import read_entries  # here: pydantic takes 0.2 s, which only this can spare

    return tuple(ListedPerson(*entry) for entry in read_entries(path, read_text(path, "EARSHOT_PEOPLE", may_miss=True)))
