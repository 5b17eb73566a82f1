"""Removals: deletes the rows of videos, and notes what remains to be deleted outside the database.

One transaction deletes the rows of the videos in all tables, excludes the videos from later listings if asked to, and notes
their audio files and partitions in `unfinished_removals`. earshot/library/upkeep/removal.py deletes those and then the notes;
what a killed process left is finished by the next removal.

Timings outlive a video, because the baselines need them, but no longer say whose they are. Enrolments belong to their person
and stay. `source_videos` keeps what a source lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from earshot.common.text import pluralize
from earshot.common.times import format_hms
from earshot.storage.database import Connection, Database

BY_USER = "by you"

# Sides of corrections whose last span was in a removed video say nothing any more.
_EMPTY_CORRECTIONS = """
    DELETE FROM corrections c WHERE correction_id = ANY(%s)
        AND (NOT EXISTS (SELECT FROM corrected_spans s WHERE s.correction_id = c.correction_id AND side = 0)
            OR (kind IN ('same', 'different')
                AND NOT EXISTS (SELECT FROM corrected_spans s WHERE s.correction_id = c.correction_id AND side = 1)))
"""
_UNUSED_VOICES = """
    DELETE FROM voices v WHERE voice_id = ANY(%s)
        AND NOT EXISTS (SELECT FROM identities i WHERE i.voice_id = v.voice_id)
        AND NOT EXISTS (SELECT FROM former_voices f WHERE f.voice_id = v.voice_id)
"""


@dataclass(frozen=True)
class Traces:
    """What a removal deletes. `enrolments` are recordings of people in these videos: they stay."""

    videos: int
    audio_s: float
    words: int
    passages: int
    corrections: int
    enrolments: int

    def __str__(self) -> str:
        """What goes, in words."""
        parts = [
            pluralize(self.videos, "video"),
            f"{format_hms(self.audio_s)} of audio",
            pluralize(self.words, "word"),
            pluralize(self.passages, "passage"),
            *([pluralize(self.corrections, "correction")] * bool(self.corrections)),
        ]
        stays = f" ({pluralize(self.enrolments, 'recording')} of people from there stay enrolled)" if self.enrolments else ""
        return f"{', '.join(parts)}{stays}"


@dataclass(frozen=True)
class ExcludedVideo:
    """A removed video, which no listing brings back. `reason` is BY_USER, or says why its source no longer kept it."""

    video_id: str
    url: str
    source: str
    title: str
    removed_at: datetime
    reason: str


@dataclass(frozen=True)
class Unfinished:
    """A removed video whose partition, and audio if it has a `uri`, are yet to be deleted."""

    video_id: str
    uri: str | None


def count_traces(database: Database, video_ids: Sequence[str]) -> Traces:
    """What `remove_rows()` would delete."""
    [row] = database.query(
        """
        SELECT %(count)s AS videos,
            (SELECT coalesce(sum(duration_s), 0) FROM audio WHERE video_id = ANY(%(videos)s) AND deleted_at IS NULL) AS audio_s,
            (SELECT count(*) FROM words WHERE video_id = ANY(%(videos)s)) AS words,
            (SELECT count(*) FROM passages WHERE video_id = ANY(%(videos)s)) AS passages,
            (SELECT count(DISTINCT correction_id) FROM corrected_spans WHERE video_id = ANY(%(videos)s)) AS corrections,
            (SELECT count(*) FROM enrolments WHERE kind = 'video' AND recording = ANY(%(videos)s)) AS enrolments
        """,
        {"videos": list(video_ids), "count": len(video_ids)},
    )
    return Traces(**row)


def left_out_reason(reason: str) -> str:
    """Why listings leave out a video that was removed for this reason."""
    return f"removed {reason}; `earshot ingest URL` brings it back"


def remove_rows(database: Database, video_ids: Sequence[str], exclude: bool, reason: str = BY_USER) -> None:
    """Delete these videos with everything made from them, in one transaction; with `exclude`, listings leave them out."""
    videos = list(video_ids)
    with database.connect() as connection:
        connection.execute("SELECT FROM videos WHERE video_id = ANY(%s) ORDER BY video_id FOR UPDATE", [videos])
        connection.execute(
            "INSERT INTO unfinished_removals AS known SELECT video_id, uri FROM videos LEFT JOIN audio USING (video_id) "
            "WHERE video_id = ANY(%s) ON CONFLICT (video_id) DO UPDATE SET uri = coalesce(excluded.uri, known.uri)",
            [videos],
        )
        if exclude:
            connection.execute(
                "INSERT INTO excluded_videos (video_id, url, source, title, reason) "
                "SELECT video_id, url, source, title, %s FROM videos WHERE video_id = ANY(%s) "
                "ON CONFLICT (video_id) DO NOTHING",
                [reason, videos],
            )
        connection.execute(
            "UPDATE source_videos SET decision = 'left_out', reason = %s WHERE video_id = ANY(%s)",
            [left_out_reason(reason), videos],
        )
        _detach_timings(connection, videos)
        _delete_events(connection, videos)
        corrections = _ids(connection, "SELECT DISTINCT correction_id FROM corrected_spans WHERE video_id = ANY(%s)", videos)
        voices = _ids(
            connection,
            "SELECT voice_id FROM identities WHERE video_id = ANY(%(videos)s) AND voice_id IS NOT NULL "
            "UNION SELECT voice_id FROM former_voices WHERE video_id = ANY(%(videos)s)",
            {"videos": videos},
        )
        connection.execute("DELETE FROM videos WHERE video_id = ANY(%s)", [videos])  # cascades
        connection.execute(_EMPTY_CORRECTIONS, [corrections])
        connection.execute(_UNUSED_VOICES, [voices])


def _ids(connection: Connection, statement: str, videos: list[str] | dict[str, list[str]]) -> list[int]:
    parameters = [videos] if isinstance(videos, list) else videos
    return [next(iter(row.values())) for row in connection.execute(statement.encode(), parameters)]


def _detach_timings(connection: Connection, videos: list[str]) -> None:
    """Delete the failed checks. Make the timings those of nameless videos: if it is ingested again, the video is a new one."""
    connection.execute("DELETE FROM check_failures WHERE video_id = ANY(%s)", [videos])
    connection.execute(
        "UPDATE asset_timings SET video_id = 'removed ' || left(md5(video_id), 8) WHERE video_id = ANY(%s)", [videos]
    )


def _delete_events(connection: Connection, videos: list[str]) -> None:
    """Delete the events of webhooks with their deliveries; those of people are composed anew if they are posted again."""
    connection.execute("DELETE FROM webhook_events WHERE video_id = ANY(%s)", [videos])
    connection.execute(
        "UPDATE webhook_events SET body = NULL, "
        "facts = facts || jsonb_build_object('newest', (facts -> 'newest') - %(videos)s::text[]) "
        "WHERE type = 'person.named' AND facts -> 'newest' ?| %(videos)s::text[]",
        {"videos": videos},
    )


def remove_source_rows(database: Database, source: str) -> None:
    """Delete what is known of the source itself: its state and its listing."""
    database.query("DELETE FROM sources WHERE source = %s", [source])  # cascades


def unfinished_removals(database: Database) -> list[Unfinished]:
    """What removals, also those of killed processes, have yet to delete; without videos that are in the library again."""
    database.query("DELETE FROM unfinished_removals WHERE video_id IN (SELECT video_id FROM videos)")
    return [Unfinished(**row) for row in database.query("SELECT video_id, uri FROM unfinished_removals ORDER BY video_id")]


def finish_removal(database: Database, video_id: str) -> None:
    """Note that nothing is left of the video."""
    database.query("DELETE FROM unfinished_removals WHERE video_id = %s", [video_id])


def excluded_videos(database: Database, limit: int | None = None) -> list[ExcludedVideo]:
    """The videos that listings leave out because they were removed, the latest first."""
    rows = database.query("SELECT * FROM excluded_videos ORDER BY removed_at DESC, video_id LIMIT %s", [limit])
    return [ExcludedVideo(**row) for row in rows]


def excluded_among(connection: Connection, video_ids: Sequence[str]) -> dict[str, str]:
    """Those of these videos that were removed, with the reason why listings leave them out."""
    rows = connection.execute("SELECT video_id, reason FROM excluded_videos WHERE video_id = ANY(%s)", [list(video_ids)])
    return {row["video_id"]: left_out_reason(row["reason"]) for row in rows}


def readmit(connection: Connection, video_ids: Sequence[str]) -> int:
    """Let listings bring these videos back: sources that list them decide again. Returns how many had been removed."""
    statement = "DELETE FROM excluded_videos WHERE video_id = ANY(%s) RETURNING video_id"
    keys = [row["video_id"] for row in connection.execute(statement, [list(video_ids)])]
    connection.execute(
        "UPDATE source_videos SET decision = 'open', reason = NULL, fetches = 0 "
        "WHERE video_id = ANY(%s) AND decision = 'left_out'",
        [keys],
    )
    return len(keys)
