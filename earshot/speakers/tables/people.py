"""People and enrolments: tables `people` and `enrolments`, and their synchronization with people.yaml.

People and enrolments (excerpts of recordings in which the person speaks) come from people.yaml (`listed`) or from the command
line. Those removed from the file are removed from the tables; those from the command line stay until a command removes them.
The judgements of enrolments are in earshot/speakers/tables/enrolments.py.

Writers lock table `people`, so that two of them never add the same person twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from earshot.common.errors import EarshotError
from earshot.common.excerpt import Excerpt
from earshot.config.names import ALLOWED, name_key, parse_person_name
from earshot.config.people_file import ListedPerson, read_people
from earshot.config.settings import Settings
from earshot.storage.database import Connection, Database

_LOCK = "LOCK TABLE people IN SHARE ROW EXCLUSIVE MODE"
_COLUMNS = "person_id, name, notes, listed"


@dataclass(frozen=True)
class Person:
    """One row of `people`."""

    person_id: int
    name: str
    notes: str
    listed: bool


def list_people(database: Database) -> list[Person]:
    """All people, by name."""
    rows = database.query(f"SELECT {_COLUMNS} FROM people ORDER BY lower(name), person_id")  # noqa: S608
    return [Person(**row) for row in rows]


def names_of_people(database: Database) -> dict[int, str]:
    """All people's names, by person_id."""
    return {person.person_id: person.name for person in list_people(database)}


def find_person(database: Database, name: str) -> Person | None:
    """The person of this name, ignoring letter case and Unicode form; None if there is none."""
    with database.connect() as connection:
        return _people(connection).get(name_key(" ".join(name.split())))


def add_person(database: Database, name: str, notes: str = "", listed: bool = False) -> Person:
    """The person of this name, added if there is none yet. Notes that are not empty replace the old ones.

    Raises EarshotError if the name is invalid.
    """
    with database.connect() as connection:
        connection.execute(_LOCK)
        return _add(connection, checked_name(name), notes, listed)


def checked_name(text: str) -> str:
    """The name as it is stored. Raises EarshotError if it is invalid."""
    try:
        return parse_person_name(text)
    except ValueError as error:
        raise EarshotError(f"The name {error}.", f"Allowed: {ALLOWED}") from None


def sync_people(database: Database, settings: Settings) -> None:
    """Apply people.yaml to the tables, in one transaction.

    A missing file changes nothing, because it may be on a disk that is not mounted; an empty file lists no one. A person
    removed from the file stays, unlisted, while there are enrolments from the command line, or corrections. Raises
    Misconfigured with all mistakes in the file.
    """
    if not settings.people.exists():
        return
    people = read_people(settings.people)
    with database.connect() as connection:
        connection.execute(_LOCK)
        known = _people(connection)
        for person in people:
            _keep(connection, person, known.get(name_key(person.name)))
        listed = {name_key(person.name) for person in people}
        for key, person in known.items():
            if person.listed and key not in listed:
                _unlist(connection, person.person_id)


def _people(connection: Connection) -> dict[str, Person]:
    """All people, by name key."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM people").fetchall()  # noqa: S608
    return {name_key(row["name"]): Person(**row) for row in rows}


def _add(connection: Connection, name: str, notes: str, listed: bool) -> Person:
    known = _people(connection).get(name_key(name))
    if known is None:
        statement = f"INSERT INTO people (name, notes, listed) VALUES (%s, %s, %s) RETURNING {_COLUMNS}"  # noqa: S608
        row = connection.execute(statement, [name, notes, listed]).fetchone()
    else:
        statement = f"UPDATE people SET notes = %s WHERE person_id = %s RETURNING {_COLUMNS}"  # noqa: S608
        row = connection.execute(statement, [notes or known.notes, known.person_id]).fetchone()
    assert row is not None  # RETURNING
    return Person(**row)


def _keep(connection: Connection, listed: ListedPerson, known: Person | None) -> None:
    """Bring the person and their listed enrolments in line with the file."""
    person = known or _add(connection, listed.name, listed.notes, True)
    connection.execute(
        "UPDATE people SET name = %(name)s, notes = %(notes)s, listed = true WHERE person_id = %(person)s "
        "AND (name, notes, listed) IS DISTINCT FROM (%(name)s, %(notes)s, true)",
        {"name": listed.name, "notes": listed.notes, "person": person.person_id},
    )
    kept = [add_enrolment(connection, person.person_id, excerpt, listed=True) for excerpt in listed.excerpts]
    connection.execute(
        "DELETE FROM enrolments WHERE person_id = %s AND listed AND enrolment_id != ALL(%s)", [person.person_id, kept]
    )


def _unlist(connection: Connection, person_id: int) -> None:
    connection.execute("DELETE FROM enrolments WHERE person_id = %s AND listed", [person_id])
    connection.execute("UPDATE people SET listed = false WHERE person_id = %s", [person_id])
    remove_if_empty(connection, person_id)


def remove_if_empty(connection: Connection, person_id: int | None) -> str | None:
    """Delete a person who is unlisted and has no enrolments and no corrections; returns the name if so."""
    row = connection.execute(
        "DELETE FROM people WHERE person_id = %(person)s AND NOT listed "
        "AND NOT EXISTS (SELECT FROM enrolments WHERE person_id = %(person)s) "
        "AND NOT EXISTS (SELECT FROM corrections WHERE person_id = %(person)s) RETURNING name",
        {"person": person_id},
    ).fetchone()
    return row["name"] if row else None


# --- enrolments ----------------------------------------------------------------------------------------------------------


def add_enrolment(connection: Connection, person_id: int, excerpt: Excerpt, listed: bool) -> int:
    """Store an enrolment, as part of the caller's transaction; returns its id. A listed one stays listed."""
    row = connection.execute(
        """
        INSERT INTO enrolments AS e (person_id, kind, recording, start_s, end_s, listed) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (person_id, kind, recording, start_s, end_s) DO UPDATE SET listed = e.listed OR excluded.listed
        RETURNING enrolment_id
        """,
        [person_id, excerpt.kind, excerpt.recording, excerpt.start_s, excerpt.end_s, listed],
    ).fetchone()
    assert row is not None  # RETURNING
    return row["enrolment_id"]


def overlapping(database: Database, excerpts: Iterable[Excerpt]) -> list[tuple[Person, Excerpt]]:
    """The enrolments that overlap one of these excerpts, each with its person."""
    excerpts = list(excerpts)
    rows = database.query(
        "SELECT kind, recording, start_s, end_s, person_id, name, notes, p.listed "
        "FROM enrolments JOIN people p USING (person_id) WHERE recording = ANY(%s) ORDER BY enrolment_id",
        [[excerpt.recording for excerpt in excerpts]],
    )
    overlaps = []
    for row in rows:
        enrolled = Excerpt(row.pop("kind"), row.pop("recording"), row.pop("start_s"), row.pop("end_s"))
        if any(enrolled.overlaps(excerpt) for excerpt in excerpts):
            overlaps.append((Person(**row), enrolled))
    return overlaps
