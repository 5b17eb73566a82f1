"""Forgetting: a person, or an anonymous voice, with everything by which the voice could be known again.

What goes, in one transaction: the person's row with notes, enrolments, their samples and judgements; the corrections that name
the person, and what other corrections say of the same time; who was identified as the person; and the vectors of what the
person spoke, in all voice spaces: of every local speaker that is the person, of single turns that corrections or enrolments
give to the person, and of the same times in other videos with the very same audio. These times are kept (`forgotten_spans`,
which say of nobody whose they were), so that no run makes vectors of them again.

Postgres keeps samples of columns as statistics for its planner, and old rows until they are vacuumed. `vacuum()` sees to
both. Its write-ahead log, backups, the audio and the transcripts are not touched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError
from earshot.common.timeline import EMPTY_TURNS, HALF, Interval, build_timeline
from earshot.config.names import name_key
from earshot.config.people_file import read_people
from earshot.config.settings import Settings
from earshot.speakers.corrections.claims import CorrectionSet
from earshot.speakers.corrections.constraints import attributed_turns, read_turns
from earshot.speakers.people.identify import PEOPLE_LOCK, identify
from earshot.speakers.tables.corrections import CorrectionKind, list_corrections
from earshot.speakers.voices.local_speakers import local_speakers
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Connection, Database
from earshot.storage.locks import is_held_elsewhere, lock, video_lock
from earshot.transcripts.speaker_refs import SpeakerRef

_TABLES = (
    "people, enrolments, enrolment_judgements, enrolment_samples, corrections, corrected_spans, identities, segment_overrides, "
    "local_speakers, voice_embeddings"
)
# All at once, and always in this order: no stage writes a vector between what is found and what is removed.
_LOCK = f"LOCK TABLE {_TABLES}, forgotten_spans IN ACCESS EXCLUSIVE MODE"
# Giving a column the type that it has drops its statistics; ANALYZE would keep those of a table that has become empty.
_WITHOUT_STATISTICS = (
    "ALTER TABLE people ALTER COLUMN name TYPE text, ALTER COLUMN notes TYPE text",
    "ALTER TABLE enrolments ALTER COLUMN recording TYPE text",
    "ALTER TABLE enrolment_samples ALTER COLUMN embedding TYPE vector",
    "ALTER TABLE local_speakers ALTER COLUMN centroid TYPE vector",
    "ALTER TABLE voice_embeddings ALTER COLUMN embedding TYPE vector",
)
# FULL writes a table anew: otherwise the bytes of what was removed stay in its file until something is written over them.
_VACUUM = (f"VACUUM (FULL, ANALYZE) {_TABLES}", "VACUUM (FULL) pg_statistic")


@dataclass(frozen=True)
class ForgetSummary:
    """How much there is of a voice: local speakers, in how many videos, turns, enrolments, corrections that name it."""

    speakers: int
    videos: int
    turns: int
    enrolments: int
    corrections: int


def require_unlisted(settings: Settings, name: str) -> None:
    """Raises EarshotError, with the line, where people.yaml names this person: its next reading would bring the person back."""
    for person in read_people(settings.people):
        if name_key(person.name) == name_key(name):
            told = f"{settings.people}, line {person.line}, names {name}."
            raise EarshotError(told, "Remove that person's lines from the file, then run this again.")


def remove(database: Database, who: SpeakerRef) -> ForgetSummary:
    """Remove the person's row with enrolments and corrections, not the vectors of what the person spoke."""
    counted = count_traces(database, who)
    database.query("DELETE FROM people WHERE person_id = %s", [who.person_id])
    return counted


def count_traces(database: Database, who: SpeakerRef) -> ForgetSummary:
    """What `forget()` would take, as far as it is identified now."""
    speakers, times = _speakers(database, who), _spoken(database, who)
    [counted] = database.query(
        "SELECT (SELECT count(*) FROM enrolments WHERE person_id = %(person)s) AS enrolments, "
        "(SELECT count(*) FROM corrections WHERE person_id = %(person)s) AS corrections",
        {"person": who.person_id},
    )
    return ForgetSummary(
        len(speakers), len({*times, *(video_id for video_id, _ in speakers)}), sum(map(len, times.values())), **counted
    )


def forget(database: Database, who: SpeakerRef) -> ForgetSummary:
    """Forget the person or voice; returns what is gone. Raises EarshotError where a run is at work on one of the videos.

    Whoever came since it was last decided who speaks is identified first. people.yaml must not name the person any more.
    """
    with lock(database.url, PEOPLE_LOCK):
        # The profile must last until it is done, also where it came from lines that people.yaml no longer has.
        database.query("UPDATE people SET listed = false WHERE person_id = %s", [who.person_id])
        identify(database)
        counted, speakers = count_traces(database, who), _speakers(database, who)
        times = _with_identical_audio(database, _spoken(database, who))
        _refuse_busy(database, times)
        with database.connect() as connection:
            connection.execute(_LOCK)
            _remove_vectors(connection, times, speakers)
            _remove_corrected(connection, times)
            connection.execute("DELETE FROM identities WHERE person_id = %s OR voice_id = %s", [who.person_id, who.voice_id])
            connection.execute("DELETE FROM people WHERE person_id = %s", [who.person_id])  # and all that hangs on it
            for statement in _WITHOUT_STATISTICS:
                connection.execute(statement.encode())
        vacuum(database)
        identify(database)
    return counted


def vacuum(database: Database) -> None:
    """Take what was removed out of the tables' files. Cannot be part of a transaction."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        for statement in _VACUUM:
            connection.execute(statement.encode())


# --- what is to go -------------------------------------------------------------------------------------------------------


def _speakers(database: Database, who: SpeakerRef) -> set[Key]:
    rows = database.query(
        "SELECT video_id, local_speaker FROM identities WHERE person_id = %s OR voice_id = %s", [who.person_id, who.voice_id]
    )
    return {(row["video_id"], row["local_speaker"]) for row in rows}


def _spoken(database: Database, who: SpeakerRef) -> dict[str, list[Interval]]:
    """By video, the times of all turns of who is identified, and of those that corrections or enrolments give to the person."""
    speakers, enrolled = _speakers(database, who), _enrolled(database, who)
    corrections = list_corrections(database)
    told_in = {
        span.video_id
        for each in corrections
        if each.kind == CorrectionKind.IS and each.person_id == who.person_id
        for span in each.spans
    }
    turns = read_turns(database, {video_id for video_id, _ in speakers} | told_in | enrolled.keys())
    told = {
        turn for turn, (person, _) in attributed_turns(CorrectionSet(corrections, turns)).items() if person == who.person_id
    }
    found = {}
    for video_id, of_video in turns.groupby("video_id", sort=True):
        times = list(zip(of_video.start_s.tolist(), of_video.end_s.tolist(), strict=True))
        marked = _half_within(enrolled.get(str(video_id), []), times)
        chosen = [
            time
            for number, speaker, time, mark in zip(of_video.turn_index, of_video.local_speaker, times, marked, strict=True)
            if mark or (video_id, speaker) in speakers or (video_id, number) in told
        ]
        found |= {str(video_id): chosen} if chosen else {}
    return found


def _enrolled(database: Database, who: SpeakerRef) -> dict[str, list[Interval]]:
    """When the person speaks in videos, by enrolments that were not refused."""
    rows = database.query(
        "SELECT recording, start_s, coalesce(end_s, duration_s, start_s) AS end_s "
        "FROM enrolments e LEFT JOIN audio ON video_id = recording WHERE person_id = %s AND kind = 'video' AND NOT EXISTS "
        "(SELECT FROM enrolment_judgements j WHERE j.enrolment_id = e.enrolment_id AND verdict = 'refused')",
        [who.person_id],
    )
    found: defaultdict[str, list[Interval]] = defaultdict(list)
    for row in rows:
        found[row["recording"]].append((row["start_s"], row["end_s"]))
    return found


def _with_identical_audio(database: Database, times: Mapping[str, list[Interval]]) -> dict[str, list[Interval]]:
    """The same times in every video that has the very same audio."""
    rows = database.query(
        "SELECT one.video_id, other.video_id AS twin FROM audio one JOIN audio other USING (samples_sha256) "
        "WHERE one.video_id = ANY(%s)",
        [list(times)],
    )
    found: defaultdict[str, set[Interval]] = defaultdict(set, {video_id: set(each) for video_id, each in times.items()})
    for row in rows:
        found[row["twin"]].update(times[row["video_id"]])
    return {video_id: sorted(each) for video_id, each in found.items()}


def _half_within(spans: Iterable[Interval], times: list[Interval]) -> list[bool]:
    """Of which of these times the spans hold at least half."""
    kept = list(spans)
    stretches = build_timeline(EMPTY_TURNS, [*kept, *times])
    held = stretches.covered_s(stretches.mask(kept), times)
    return [seconds >= HALF * (end - start) for seconds, (start, end) in zip(held, times, strict=True)]


def _refuse_busy(database: Database, times: Iterable[str]) -> None:
    """A stage that is at work may have read vectors before, and would write them again after."""
    busy = [video_id for video_id in sorted(times) if is_held_elsewhere(database.url, video_lock(video_id))]
    if busy:
        told = f"{', '.join(busy[:3])}{f' and {len(busy) - 3} more' if busy[3:] else ''}"
        raise EarshotError(f"Nothing was forgotten: a run is at work on {told}.", "Run this again when it has ended.")


# --- taking it away ------------------------------------------------------------------------------------------------------


def _remove_vectors(connection: Connection, times: Mapping[str, list[Interval]], speakers: set[Key]) -> None:
    """Empty what was made of these times, and see that it is not made again."""
    rows = connection.execute(
        "SELECT video_id, turn_index, condition, first_sample::float8 / %(rate)s AS start_s, "
        "last_sample::float8 / %(rate)s AS end_s FROM voice_embeddings WHERE video_id = ANY(%(videos)s)",
        {"rate": SAMPLE_RATE, "videos": list(times)},
    )
    gone = _inside(rows.fetchall(), times)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO forgotten_spans (video_id, start_s, end_s) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(video_id, start, end) for video_id, each in times.items() for start, end in each],
        )
        cursor.executemany(
            "UPDATE voice_embeddings SET embedding = NULL, condition = 'forgotten' "
            "WHERE video_id = %(video_id)s AND turn_index = %(turn_index)s",
            gone,
        )
        cursor.executemany(
            "UPDATE local_speakers SET centroid = NULL, clear_s = 0, made_at = clock_timestamp() "
            "WHERE video_id = %s AND local_speaker = %s",
            sorted(speakers),
        )
        cursor.executemany("DELETE FROM former_voices WHERE video_id = %s AND local_speaker = %s", sorted(speakers))
        cursor.executemany(
            "UPDATE local_speakers SET centroid = %(centroid)s, clear_s = %(clear_s)s, made_at = clock_timestamp() "
            "WHERE video_id = %(video_id)s AND local_speaker = %(local_speaker)s",
            _recomputed(connection, gone, speakers),
        )


def _recomputed(connection: Connection, gone: Sequence[Mapping[str, Any]], speakers: set[Key]) -> list[dict[str, Any]]:
    """The centroids of others who lost a turn by it, of what is left to them, as the asset voice_embeddings would make them."""
    rows = connection.execute(
        "SELECT video_id, turn_index, local_speaker, start_s, end_s, condition, embedding "
        "FROM turns JOIN voice_embeddings USING (video_id, turn_index) WHERE video_id = ANY(%s)",
        [sorted({row["video_id"] for row in gone})],
    ).fetchall()
    touched = {(row["video_id"], row["turn_index"]) for row in gone}
    others = {(row["video_id"], row["local_speaker"]) for row in rows if (row["video_id"], row["turn_index"]) in touched}
    left = [row for row in rows if (row["video_id"], row["local_speaker"]) in others - speakers]
    vectors = [None if row["embedding"] is None else row["embedding"].to_numpy() for row in left]
    turns = pd.DataFrame(left).assign(embedding=pd.Series(vectors, dtype=object))
    return [
        {**{str(column): value for column, value in row.items()}, "video_id": video_id}
        for video_id, of_video in (turns.groupby("video_id") if left else ())
        for row in local_speakers(of_video).to_dict("records")
    ]


def _remove_corrected(connection: Connection, times: Mapping[str, list[Interval]]) -> None:
    """What corrections say of these times, and those of which a side is left with nothing."""
    rows = connection.execute(
        "SELECT correction_id, side, video_id, start_s, end_s FROM corrected_spans WHERE video_id = ANY(%s)", [list(times)]
    )
    gone = _inside(rows.fetchall(), times)
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM corrected_spans WHERE correction_id = %(correction_id)s AND side = %(side)s "
            "AND video_id = %(video_id)s AND start_s = %(start_s)s AND end_s = %(end_s)s",
            gone,
        )
    connection.execute(
        "DELETE FROM corrections c WHERE correction_id = ANY(%s) AND (NOT EXISTS (SELECT FROM corrected_spans s "
        "WHERE s.correction_id = c.correction_id AND side = 0) OR (kind IN ('same', 'different') AND NOT EXISTS "
        "(SELECT FROM corrected_spans s WHERE s.correction_id = c.correction_id AND side = 1)))",
        [sorted({row["correction_id"] for row in gone})],
    )


def _inside(rows: Iterable[dict[str, Any]], times: Mapping[str, list[Interval]]) -> list[dict[str, Any]]:
    """The rows (video_id, start_s, end_s) of which these times hold at least half."""
    by_video: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_video[row["video_id"]].append(row)
    found = []
    for video_id, each in by_video.items():
        inside = _half_within(times[video_id], [(row["start_s"], row["end_s"]) for row in each])
        found += [row for row, held in zip(each, inside, strict=True) if held]
    return found
