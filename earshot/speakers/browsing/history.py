"""History: the corrections, renames and merges that hold, with who made them and when, the newest first."""

from dataclasses import dataclass
from datetime import datetime

from earshot.speakers.corrections.listing import describe_correction
from earshot.speakers.tables.corrections import list_corrections
from earshot.speakers.tables.people_changes import MERGE, PeopleChange, find_change
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef


@dataclass(frozen=True)
class Change:
    """One change: a correction (`is`, `never`, `same`, `different`), or a `rename` or `merge` of people.

    `made_by` is "" for changes made before that was kept.
    """

    number: int
    kind: str
    person: str | None
    description: str
    made_at: datetime
    made_by: str


@dataclass(frozen=True)
class ChangeHistory:
    """Changes, the newest first. `next` is the number before which there are more, None at the end."""

    changes: tuple[Change, ...]
    next: int | None


def read_history(database: Database, before: int | None, limit: int) -> ChangeHistory:
    """The newest changes with numbers below `before`."""
    rows = database.query(
        """
        (SELECT correction_id AS number, kind, name AS person, made_at, made_by
        FROM corrections LEFT JOIN people USING (person_id)
        WHERE correction_id < %(before)s ORDER BY correction_id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT change_id, kind, name, made_at, made_by FROM people_changes JOIN people USING (person_id)
        WHERE change_id < %(before)s ORDER BY change_id DESC LIMIT %(limit)s)
        ORDER BY number DESC LIMIT %(limit)s
        """,
        {"before": 2**63 - 1 if before is None else before, "limit": limit + 1},
    )
    shown = tuple(_described(database, rows[:limit]))
    return ChangeHistory(shown, shown[-1].number if len(rows) > limit else None)


def changes_about(database: Database, who: SpeakerRef, limit: int) -> tuple[Change, ...]:
    """The newest changes of this person, or of the times in which this voice speaks."""
    if who.person_id is None:
        chosen = """
            SELECT DISTINCT correction_id FROM (
                SELECT video_id, local_speaker FROM identities WHERE voice_id = %(voice)s LIMIT 200) i
            JOIN corrected_spans s USING (video_id) WHERE EXISTS (
                SELECT FROM turns t WHERE (t.video_id, t.local_speaker) = (i.video_id, i.local_speaker)
                    AND t.start_s < s.end_s AND t.end_s > s.start_s)
        """
    else:
        chosen = "SELECT correction_id FROM corrections WHERE person_id = %(person)s"
    rows = database.query(
        f"""
        SELECT correction_id AS number, kind, name AS person, made_at, made_by
        FROM corrections LEFT JOIN people USING (person_id) WHERE correction_id IN ({chosen})
        UNION ALL
        SELECT change_id, kind, name, made_at, made_by FROM people_changes JOIN people USING (person_id)
        WHERE person_id = %(person)s
        ORDER BY number DESC LIMIT %(limit)s
        """,  # noqa: S608
        {"person": who.person_id, "voice": who.voice_id, "limit": limit},
    )
    return tuple(_described(database, rows))


def describe_change(change: PeopleChange) -> str:
    """A rename or merge, without a full stop, which a name may end with."""
    if change.kind == MERGE:
        return f"{change.details['name']} was merged into {change.person}"
    return f"{change.details['name']} was renamed to {change.details['new']}"


def _described(database: Database, rows: list[dict[str, object]]) -> list[Change]:
    numbers = [int(str(row["number"])) for row in rows]
    corrections = {correction.correction_id: correction for correction in list_corrections(database, numbers)}
    described = []
    for row, number in zip(rows, numbers, strict=True):
        correction = corrections.get(number)
        if correction is not None:
            text = describe_correction(correction, {correction.person_id or 0: str(row["person"])}).partition(": ")[2]
        else:
            change = find_change(database, number)
            text = describe_change(change) if change else ""
        described.append(Change(**row, description=text))  # pyright: ignore[reportArgumentType]
    return described
