"""Corrections: what users state about who speaks. Tables `corrections` and `corrected_spans`.

A correction refers to times, not to local speakers, whose labels change with every diarization. There are four kinds:

| kind | statement |
|---|---|
| `is` | this person speaks in `spans` |
| `never` | this person does not speak in `spans` |
| `same` | the speakers in `spans` and `others` are one voice |
| `different` | no speaker in `spans` is a speaker in `others` |

earshot/speakers/corrections/constraints.py derives what follows from all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from earshot.common.errors import EarshotError
from earshot.speakers.tables.people import remove_if_empty
from earshot.storage.database import Connection, Database


class CorrectionKind(StrEnum):
    """The kind of a correction, as stored in table `corrections`."""

    IS = "is"
    NEVER = "never"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True)
class CorrectedSpan:
    """An interval of a video, in seconds."""

    video_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Correction:
    """One correction; later ones have higher ids. `is` and `never` have a `person_id`, `same` and `different` have `others`."""

    correction_id: int
    kind: CorrectionKind
    person_id: int | None
    spans: tuple[CorrectedSpan, ...]
    others: tuple[CorrectedSpan, ...] = ()


def list_corrections(database: Database, numbers: Sequence[int] | None = None) -> list[Correction]:
    """All corrections, or those with these ids, oldest first."""
    chosen = {"all": numbers is None, "numbers": list(numbers or ())}
    with database.connect() as connection:
        heads = connection.execute(
            "SELECT correction_id, kind, person_id FROM corrections WHERE %(all)s OR correction_id = ANY(%(numbers)s) "
            "ORDER BY correction_id",
            chosen,
        ).fetchall()
        rows = connection.execute(
            "SELECT correction_id, side, video_id, start_s, end_s FROM corrected_spans "
            "WHERE %(all)s OR correction_id = ANY(%(numbers)s) ORDER BY 1, 2, 3, 4, 5",
            chosen,
        ).fetchall()
    sides: defaultdict[tuple[int, int], list[CorrectedSpan]] = defaultdict(list)
    for row in rows:
        sides[row.pop("correction_id"), row.pop("side")].append(CorrectedSpan(**row))
    return [
        Correction(number, CorrectionKind(kind), person_id, tuple(sides[number, 0]), tuple(sides[number, 1]))
        for number, kind, person_id in (head.values() for head in heads)
    ]


def add_correction(
    database: Database,
    kind: CorrectionKind,
    person_id: int | None,
    spans: Sequence[CorrectedSpan],
    others: Sequence[CorrectedSpan] = (),
) -> int:
    """Store a correction; returns its id. The caller has checked it for conflicts."""
    with database.connect() as connection:
        row = connection.execute(
            "INSERT INTO corrections (kind, person_id) VALUES (%s, %s) RETURNING correction_id", [kind, person_id]
        ).fetchone()
        assert row is not None  # RETURNING
        for side, of_side in enumerate((spans, others)):
            _copy_spans(connection, row["correction_id"], side, of_side)
    return row["correction_id"]


def _copy_spans(connection: Connection, correction_id: int, side: int, spans: Iterable[CorrectedSpan]) -> None:
    statement = "COPY corrected_spans (correction_id, side, video_id, start_s, end_s) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for span in dict.fromkeys(spans):
            copy.write_row((correction_id, side, span.video_id, span.start_s, span.end_s))


def remove_correction(database: Database, correction_id: int) -> str | None:
    """Delete a correction. Returns the name of the person who is deleted with it because nothing else refers to them.

    Raises EarshotError if there is no such correction.
    """
    with database.connect() as connection:
        statement = "DELETE FROM corrections WHERE correction_id = %s RETURNING person_id"
        deleted = connection.execute(statement, [correction_id]).fetchone()
        if deleted is not None:
            return remove_if_empty(connection, deleted["person_id"])
    ids = [str(row["correction_id"]) for row in database.query("SELECT correction_id FROM corrections ORDER BY 1")]
    existing = f"there are {', '.join(ids)}" if ids else "there are none"
    raise EarshotError(f"There is no correction {correction_id}; {existing}.", "`earshot people show WHO` lists those of WHO.")
