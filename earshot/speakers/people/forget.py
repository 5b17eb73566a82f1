"""Forgetting: deletes a person or anonymous voice, and everything by which the voice could be recognized again.

One transaction deletes:

- the person with notes, enrolments, samples and judgements, and events that name the person (webhooks)
- the corrections that name the person, and the spans of other corrections in the same time
- the identities of the speakers who were the person
- the vectors, in all voice spaces, of the person's speech: every local speaker identified as the person, single turns that
  corrections or enrolments give to the person, and the same times in other videos with identical audio

These times are stored without a name (`forgotten_spans`), so that no run computes vectors of them again.

Postgres keeps samples of columns as planner statistics, and old rows until a vacuum. The transaction drops the statistics, and
`vacuum()` removes the rows. The write-ahead log, backups, audio and transcripts are not touched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError
from earshot.common.text import join_first, pluralize
from earshot.common.timeline import EMPTY_TURNS, HALF, Interval, build_timeline
from earshot.config.names import name_key
from earshot.config.people_file import read_people
from earshot.config.settings import Settings
from earshot.speakers.corrections.claims import CorrectionSet
from earshot.speakers.corrections.constraints import attributed_turns, read_turns
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectionKind, list_corrections
from earshot.speakers.voices.local_speakers import local_speakers
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Connection, Database
from earshot.storage.locks import PEOPLE_LOCK, is_held_elsewhere, lock, video_lock
from earshot.storage.outages import connect
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

_TABLES = (
    "people, enrolments, enrolment_judgements, enrolment_samples, corrections, corrected_spans, identities, segment_overrides, "
    "local_speakers, voice_embeddings, people_changes, person_profiles, speaker_totals, webhook_events"
)
# In one statement, so always in the same order. No stage can write a vector between reading the rows and deleting them.
_LOCK = f"LOCK TABLE {_TABLES}, forgotten_spans IN ACCESS EXCLUSIVE MODE"
# Setting a column to its own type drops its statistics. ANALYZE would keep those of a table that has become empty.
_WITHOUT_STATISTICS = (
    "ALTER TABLE people ALTER COLUMN name TYPE text, ALTER COLUMN notes TYPE text",
    "ALTER TABLE enrolments ALTER COLUMN recording TYPE text",
    "ALTER TABLE enrolment_samples ALTER COLUMN embedding TYPE vector",
    "ALTER TABLE local_speakers ALTER COLUMN centroid TYPE vector",
    "ALTER TABLE voice_embeddings ALTER COLUMN embedding TYPE vector",
    "ALTER TABLE people_changes ALTER COLUMN details TYPE jsonb",
    "ALTER TABLE person_profiles ALTER COLUMN embedding TYPE vector",
    "ALTER TABLE speaker_totals ALTER COLUMN centroid TYPE vector",
    "ALTER TABLE webhook_events ALTER COLUMN body TYPE text",
)
# FULL rewrites the table. Without it, the deleted bytes stay in the file until something overwrites them.
_VACUUM = (f"VACUUM (FULL, ANALYZE) {_TABLES}", "VACUUM (FULL) pg_statistic")


@dataclass(frozen=True)
class ForgetSummary:
    """A person or voice, and how many local speakers, videos, turns, enrolments and corrections it has."""

    name: str
    speakers: int
    videos: int
    turns: int
    enrolments: int
    corrections: int

    def __str__(self) -> str:
        return f"{pluralize(self.enrolments, 'enrolment')}, {pluralize(self.corrections, 'correction')}"


def require_unlisted(settings: Settings, name: str) -> None:
    """Raise EarshotError, with the line, if people.yaml names this person: reading the file would add the person again."""
    for person in read_people(settings.people):
        if name_key(person.name) == name_key(name):
            message = f"{settings.people}, line {person.line}, names {name}."
            raise EarshotError(message, "Remove that person's lines from the file, then run this again.")


def remove(database: Database, who: SpeakerRef) -> ForgetSummary:
    """Delete the person with enrolments and corrections, but not the vectors of the person's speech."""
    summary = count_traces(database, who)
    database.query("DELETE FROM people WHERE person_id = %s", [who.person_id])
    return summary


def count_traces(database: Database, who: SpeakerRef) -> ForgetSummary:
    """What `forget()` would delete, given the current identities."""
    speakers, times = _speakers(database, who), _spoken(database, who)
    [counts] = database.query(
        "SELECT (SELECT count(*) FROM enrolments WHERE person_id = %(person)s) AS enrolments, "
        "(SELECT count(*) FROM corrections WHERE person_id = %(person)s) AS corrections",
        {"person": who.person_id},
    )
    videos = {*times, *(video_id for video_id, _ in speakers)}
    return ForgetSummary(who.name, len(speakers), len(videos), sum(map(len, times.values())), **counts)


def forget(database: Database, who: SpeakerRef) -> ForgetSummary:
    """Forget the person or voice; returns what was deleted. Raises EarshotError if a run is processing one of the videos.

    New speakers are identified first, so that none is missed. people.yaml must no longer name the person.
    """
    with lock(database.url, PEOPLE_LOCK):
        # Unlisted, the enrolments survive identify(), which would delete them with the profile that it needs.
        database.query("UPDATE people SET listed = false WHERE person_id = %s", [who.person_id])
        identify(database)
        summary, speakers = count_traces(database, who), _speakers(database, who)
        times = _with_identical_audio(database, _spoken(database, who))
        _refuse_busy(database, times)
        with database.connect() as connection:
            connection.execute(_LOCK)
            _remove_vectors(connection, times, speakers)
            _remove_corrected(connection, times)
            connection.execute("DELETE FROM identities WHERE person_id = %s OR voice_id = %s", [who.person_id, who.voice_id])
            connection.execute("DELETE FROM people WHERE person_id = %s", [who.person_id])  # cascades
            for statement in _WITHOUT_STATISTICS:
                connection.execute(statement.encode())
        vacuum(database)
        identify(database)
    return summary


def vacuum(database: Database) -> None:
    """Remove deleted rows from the tables' files. Cannot run in a transaction."""
    with connect(database.url, autocommit=True) as connection:
        for statement in _VACUUM:
            connection.execute(statement.encode())


# --- what to delete ------------------------------------------------------------------------------------------------------


def _speakers(database: Database, who: SpeakerRef) -> set[Key]:
    rows = database.query(
        "SELECT video_id, local_speaker FROM identities WHERE person_id = %s OR voice_id = %s", [who.person_id, who.voice_id]
    )
    return {(row["video_id"], row["local_speaker"]) for row in rows}


def _spoken(database: Database, who: SpeakerRef) -> dict[str, list[Interval]]:
    """By video, the turns of speakers identified as the person, and those that corrections or enrolments give to the person."""
    speakers, enrolled = _speakers(database, who), _enrolled(database, who)
    corrections = list_corrections(database)
    corrected_videos = {
        span.video_id
        for correction in corrections
        if correction.kind == CorrectionKind.IS and correction.person_id == who.person_id
        for span in correction.spans
    }
    turns = read_turns(database, {video_id for video_id, _ in speakers} | corrected_videos | enrolled.keys())
    attributed = {
        turn for turn, (person, _) in attributed_turns(CorrectionSet(corrections, turns)).items() if person == who.person_id
    }
    spoken = {}
    for video_id, of_video in turns.groupby("video_id", sort=True):
        times = list(zip(of_video.start_s.tolist(), of_video.end_s.tolist(), strict=True))
        inside = _half_within(enrolled.get(str(video_id), []), times)
        chosen = [
            time
            for turn, speaker, time, in_enrolment in zip(
                of_video.turn_index, of_video.local_speaker, times, inside, strict=True
            )
            if in_enrolment or (video_id, speaker) in speakers or (video_id, turn) in attributed
        ]
        spoken |= {str(video_id): chosen} if chosen else {}
    return spoken


def _enrolled(database: Database, who: SpeakerRef) -> dict[str, list[Interval]]:
    """The times of the person's enrolments from videos that were not refused."""
    rows = database.query(
        "SELECT recording, start_s, coalesce(end_s, duration_s, start_s) AS end_s "
        "FROM enrolments e LEFT JOIN audio ON video_id = recording WHERE person_id = %s AND kind = 'video' AND NOT EXISTS "
        "(SELECT FROM enrolment_judgements j WHERE j.enrolment_id = e.enrolment_id AND verdict = 'refused')",
        [who.person_id],
    )
    times: defaultdict[str, list[Interval]] = defaultdict(list)
    for row in rows:
        times[row["recording"]].append((row["start_s"], row["end_s"]))
    return times


def _with_identical_audio(database: Database, times: Mapping[str, list[Interval]]) -> dict[str, list[Interval]]:
    """These times, also in every other video with identical audio."""
    rows = database.query(
        "SELECT a.video_id, twin.video_id AS twin FROM audio a JOIN audio twin USING (samples_sha256) "
        "WHERE a.video_id = ANY(%s)",
        [list(times)],
    )
    extended: defaultdict[str, set[Interval]] = defaultdict(set, {key: set(intervals) for key, intervals in times.items()})
    for row in rows:
        extended[row["twin"]].update(times[row["video_id"]])
    return {video_id: sorted(intervals) for video_id, intervals in extended.items()}


def _half_within(spans: Iterable[Interval], times: list[Interval]) -> list[bool]:
    """For each of these times, whether the spans cover at least half of it."""
    spans = list(spans)
    timeline = build_timeline(EMPTY_TURNS, [*spans, *times])
    covered_s = timeline.covered_s(timeline.mask(spans), times)
    return [seconds >= HALF * (end - start) for seconds, (start, end) in zip(covered_s, times, strict=True)]


def _refuse_busy(database: Database, times: Iterable[str]) -> None:
    """Raise EarshotError if a run is processing one of these videos: it may have read vectors already and write them back."""
    busy = [video_id for video_id in sorted(times) if is_held_elsewhere(database.url, video_lock(video_id))]
    if busy:
        raise EarshotError(f"Nothing was forgotten: a run is processing {join_first(busy, 3)}.", "Try again when it has ended.")


# --- deleting ------------------------------------------------------------------------------------------------------------


def _remove_vectors(connection: Connection, times: Mapping[str, list[Interval]], speakers: set[Key]) -> None:
    """Delete the vectors of these times and speakers, and store the times so that no run computes the vectors again."""
    rows = connection.execute(
        "SELECT video_id, turn_index, condition, first_sample::float8 / %(rate)s AS start_s, "
        "last_sample::float8 / %(rate)s AS end_s FROM voice_embeddings WHERE video_id = ANY(%(videos)s)",
        {"rate": SAMPLE_RATE, "videos": list(times)},
    )
    gone = _inside(rows.fetchall(), times)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO forgotten_spans (video_id, start_s, end_s) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(video_id, start, end) for video_id, intervals in times.items() for start, end in intervals],
        )
        cursor.executemany(
            "UPDATE voice_embeddings SET embedding = NULL, condition = 'forgotten' "
            "WHERE video_id = %(video_id)s AND turn_index = %(turn_index)s",
            gone,
        )
        cursor.executemany(
            "UPDATE local_speakers SET centroid = NULL, clear_s = 0, two_voices = false, made_at = clock_timestamp() "
            "WHERE video_id = %s AND local_speaker = %s",
            sorted(speakers),
        )
        cursor.executemany("DELETE FROM former_voices WHERE video_id = %s AND local_speaker = %s", sorted(speakers))
        cursor.executemany(
            "UPDATE local_speakers SET centroid = %(centroid)s, clear_s = %(clear_s)s, two_voices = %(two_voices)s, "
            "made_at = clock_timestamp() "
            "WHERE video_id = %(video_id)s AND local_speaker = %(local_speaker)s",
            _recomputed(connection, gone, speakers),
        )


def _recomputed(connection: Connection, gone: Sequence[Mapping[str, Any]], speakers: set[Key]) -> list[dict[str, Any]]:
    """New centroids of other speakers who lost a turn, computed from the remaining turns as in the asset voice_embeddings."""
    rows = connection.execute(
        "SELECT video_id, turn_index, local_speaker, start_s, end_s, condition, embedding "
        "FROM turns JOIN voice_embeddings USING (video_id, turn_index) WHERE video_id = ANY(%s)",
        [sorted({row["video_id"] for row in gone})],
    ).fetchall()
    touched = {(row["video_id"], row["turn_index"]) for row in gone}
    others = {(row["video_id"], row["local_speaker"]) for row in rows if (row["video_id"], row["turn_index"]) in touched}
    remaining = [row for row in rows if (row["video_id"], row["local_speaker"]) in others - speakers]
    vectors = [None if row["embedding"] is None else row["embedding"].to_numpy() for row in remaining]
    turns = pd.DataFrame(remaining).assign(embedding=pd.Series(vectors, dtype=object))
    return [
        {**{str(column): value for column, value in row.items()}, "video_id": video_id}
        for video_id, of_video in (turns.groupby("video_id") if remaining else ())
        for row in local_speakers(of_video).to_dict("records")
    ]


def _remove_corrected(connection: Connection, times: Mapping[str, list[Interval]]) -> None:
    """Delete the spans of corrections in these times, and corrections that have no span left on a side."""
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
    """The rows (video_id, start_s, end_s) of which these times cover at least half."""
    by_video: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_video[row["video_id"]].append(row)
    chosen = []
    for video_id, of_video in by_video.items():
        covered = _half_within(times[video_id], [(row["start_s"], row["end_s"]) for row in of_video])
        chosen += [row for row, inside in zip(of_video, covered, strict=True) if inside]
    return chosen
