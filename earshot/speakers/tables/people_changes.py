"""Renames and merges of people, kept so that they can be undone: table `people_changes`.

Changes are numbered with corrections, so that one number names either (earshot/speakers/tables/corrections.py). A change goes
with its person: forgetting leaves no former name behind.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from earshot.common.errors import EarshotError
from earshot.config.names import name_key
from earshot.speakers.tables.people import Person, find_person
from earshot.storage.database import Connection, Database

RENAME, MERGE = "rename", "merge"


@dataclass(frozen=True)
class PeopleChange:
    """A rename (`details`: name, new) or a merge (`details`: see `merge_people`). `person` is the person's name now."""

    change_id: int
    kind: str
    person_id: int
    person: str
    made_at: datetime
    made_by: str
    details: dict[str, Any]


def find_change(database: Database, number: int) -> PeopleChange | None:
    """The rename or merge with this number; None if there is none."""
    rows = database.query(
        "SELECT change_id, kind, person_id, name AS person, made_at, made_by, details "
        "FROM people_changes JOIN people USING (person_id) WHERE change_id = %s",
        [number],
    )
    return PeopleChange(**rows[0]) if rows else None


def rename_person(database: Database, person_id: int, before: str, name: str) -> int:
    """Give the person this valid and free name; returns the number of the change."""
    with database.connect() as connection:
        connection.execute("UPDATE people SET name = %s WHERE person_id = %s", [name, person_id])
        return _record(connection, RENAME, person_id, {"name": before, "new": name})


def merge_people(database: Database, one: int, into: int) -> int:
    """Move the enrolments, corrections, changes and notes of `one` to `into`, and delete `one`.

    Returns the number of the change. Recordings that both have are deleted with `one`.
    """
    both = {"one": one, "into": into}
    with database.connect() as connection:
        connection.execute("LOCK TABLE people IN SHARE ROW EXCLUSIVE MODE")
        [gone], [stays] = (
            connection.execute("SELECT name, notes FROM people WHERE person_id = %s", [person]).fetchall()
            for person in (one, into)
        )
        notes = "; ".join(filter(None, (stays["notes"], gone["notes"])))
        details = {
            "person_id": one,
            **gone,
            "notes_before": stays["notes"],
            "notes_after": notes,
            "enrolments": _moved(
                connection,
                "UPDATE enrolments e SET person_id = %(into)s WHERE person_id = %(one)s AND NOT EXISTS ("
                "SELECT FROM enrolments o "
                "WHERE o.person_id = %(into)s AND (o.kind, o.recording, o.start_s) = (e.kind, e.recording, e.start_s) "
                "AND o.end_s IS NOT DISTINCT FROM e.end_s) RETURNING enrolment_id AS id",
                both,
            ),
            "shared": connection.execute(
                "SELECT kind, recording, start_s, end_s FROM enrolments WHERE person_id = %(one)s", both
            ).fetchall(),
        } | {
            table: _moved(
                connection,
                f"UPDATE {table} SET person_id = %(into)s WHERE person_id = %(one)s RETURNING {key} AS id",  # noqa: S608
                both,
            )
            for table, key in (("corrections", "correction_id"), ("people_changes", "change_id"))
        }
        connection.execute("UPDATE people SET notes = %s WHERE person_id = %s", [notes, into])
        connection.execute("DELETE FROM people WHERE person_id = %(one)s", both)
        return _record(connection, MERGE, into, details)


def undo_change(database: Database, change: PeopleChange) -> None:
    """Give back the name, or the merged person with all that was theirs and still is the other's.

    Raises EarshotError if another person has the name now, or the person was renamed again.
    """
    taken = find_person(database, change.details["name"])
    if taken is not None and taken.person_id != change.person_id:
        raise EarshotError(f"There is a person named {taken.name} now.", "Rename that person first, then undo this again.")
    with database.connect() as connection:
        if change.kind == RENAME:
            _undo_rename(connection, change)
        else:
            _undo_merge(connection, change, taken)
        connection.execute("DELETE FROM people_changes WHERE change_id = %s", [change.change_id])


def _undo_rename(connection: Connection, change: PeopleChange) -> None:
    name, new = change.details["name"], change.details["new"]
    if name_key(change.person) != name_key(new):
        raise EarshotError(f"{new} is {change.person} now.", "Undo the later change of the name first.")
    connection.execute("UPDATE people SET name = %s WHERE person_id = %s", [name, change.person_id])


def _undo_merge(connection: Connection, change: PeopleChange, taken: Person | None) -> None:
    details, into = change.details, change.person_id
    if taken is not None:  # the one who took over was renamed to it
        raise EarshotError(f"{taken.name} has the name now.", "Rename that person first, then undo this again.")
    connection.execute(
        "INSERT INTO people (person_id, name, notes, listed) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, false)",
        [details["person_id"], details["name"], details["notes"]],
    )
    for table, key in (("corrections", "correction_id"), ("enrolments", "enrolment_id"), ("people_changes", "change_id")):
        connection.execute(
            f"UPDATE {table} SET person_id = %s WHERE {key} = ANY(%s) AND person_id = %s".encode(),  # noqa: S608
            [details["person_id"], details[table], into],
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO enrolments (person_id, kind, recording, start_s, end_s, listed) "
            "VALUES (%(person)s, %(kind)s, %(recording)s, %(start_s)s, %(end_s)s, false)",
            [{"person": details["person_id"], **excerpt} for excerpt in details["shared"]],
        )
    connection.execute(
        "UPDATE people SET notes = %s WHERE person_id = %s AND notes = %s",
        [details["notes_before"], into, details["notes_after"]],
    )


def sign_change(database: Database, number: int, made_by: str) -> None:
    """Store who made the correction or change of this number."""
    with database.connect() as connection:
        connection.execute("UPDATE corrections SET made_by = %s WHERE correction_id = %s", [made_by, number])
        connection.execute("UPDATE people_changes SET made_by = %s WHERE change_id = %s", [made_by, number])


def _moved(connection: Connection, statement: str, both: dict[str, int]) -> list[int]:
    return [row["id"] for row in connection.execute(statement.encode(), both).fetchall()]


def _record(connection: Connection, kind: str, person_id: int, details: dict[str, Any]) -> int:
    row = connection.execute(
        "INSERT INTO people_changes (kind, person_id, details) VALUES (%s, %s, %s) RETURNING change_id",
        [kind, person_id, Jsonb(details)],
    ).fetchone()
    assert row is not None  # RETURNING
    return row["change_id"]
