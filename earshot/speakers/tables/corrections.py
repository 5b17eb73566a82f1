"""Corrections: what people said is wrong about who speaks. Tables `corrections` and `corrected_spans`.

A correction speaks of time, not of local speakers, whose names change with every diarization. Four kinds:

| kind | says |
|---|---|
| `is` | what is spoken in `spans` is spoken by this person |
| `never` | it is not spoken by this person |
| `same` | `spans` and `others` are one voice |
| `different` | nobody who speaks in `spans` speaks in `others` |

What follows from them all together is earshot/speakers/corrections/constraints.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from earshot.common.errors import EarshotError
from earshot.speakers.tables.people import remove_if_empty
from earshot.storage.database import Connection, Database


class CorrectionKind(StrEnum):
    """What a correction says, as table `corrections` holds it."""

    IS = "is"
    NEVER = "never"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True)
class CorrectedSpan:
    """A stretch of a video, in seconds."""

    video_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Correction:
    """One correction; a higher `correction_id` was made later. `person_id` of `is` and `never`; `others` of the two others."""

    correction_id: int
    kind: CorrectionKind
    person_id: int | None
    spans: tuple[CorrectedSpan, ...]
    others: tuple[CorrectedSpan, ...] = ()


def list_corrections(database: Database) -> list[Correction]:
    """All corrections, oldest first."""
    with database.connect() as connection:
        heads = connection.execute("SELECT correction_id, kind, person_id FROM corrections ORDER BY correction_id").fetchall()
        rows = connection.execute(
            "SELECT correction_id, side, video_id, start_s, end_s FROM corrected_spans ORDER BY 1, 2, 3, 4, 5"
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
    """Keep a correction; returns its number. Whether it agrees with the others is asked before, not here."""
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
    """Take a correction back; returns the name of the person who goes with it, since nothing else speaks of that person.

    Raises EarshotError where there is no correction of this number.
    """
    with database.connect() as connection:
        statement = "DELETE FROM corrections WHERE correction_id = %s RETURNING person_id"
        gone = connection.execute(statement, [correction_id]).fetchone()
        if gone is not None:
            return remove_if_empty(connection, gone["person_id"])
    numbers = [str(row["correction_id"]) for row in database.query("SELECT correction_id FROM corrections ORDER BY 1")]
    known = f"there are {', '.join(numbers)}" if numbers else "there are none"
    raise EarshotError(f"There is no correction {correction_id}; {known}.", "`earshot people show WHO` lists those of WHO.")
