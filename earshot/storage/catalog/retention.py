"""Retention: which videos, and which stored audio, the watched sources no longer keep. Removes nothing.

A video's age counts from its upload, or from when it came into the library if the upload has no date; that of audio from when
it was stored. What several watched sources want stays until none of them keeps it. A video that no watched source brought, such
as one that the user ingested by its own address, stays for ever.

Unless its source says `keep_corrected: false`, a video is protected that was corrected by hand: its words, or its speakers by a
correction of this video alone. So are the newest TAUGHT_BY videos by which a person without enrolments was named, because the
person's voice is known from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from earshot.config.sources_file import Source
from earshot.storage.database import Database

TAUGHT_BY = 3  # videos: one may have little speech of the person, and more than a few add little

# One row for each watched source and each of its videos.
_OF_SOURCES = """
    WITH kept AS (
        SELECT * FROM unnest(
            %(sources)s::text[], %(days)s::int[], %(videos)s::int[], %(audio_days)s::int[], %(corrected)s::bool[])
            AS k (source, keep_days, keep_videos, keep_audio_days, keep_corrected)
    ), wanted AS (
        SELECT source, video_id FROM videos UNION SELECT source, video_id FROM source_videos WHERE decision = 'wanted'
    ), of_sources AS (
        SELECT kept.*, v.video_id, v.title, v.state, coalesce(v.published_at, v.registered_at) AS day
        FROM wanted JOIN kept USING (source) JOIN videos v USING (video_id) WHERE v.source IN (SELECT source FROM kept)
    )
"""
_VIDEOS = """
    , placed AS (
        SELECT *, state = 'ready' AND count(*) FILTER (WHERE state = 'ready')
            OVER (PARTITION BY source ORDER BY day DESC, video_id) > keep_videos AS beyond,
            day < now() - make_interval(days => keep_days) AS too_old
        FROM of_sources
    ), one_video AS (
        SELECT min(video_id) AS video_id FROM corrected_spans GROUP BY correction_id HAVING count(DISTINCT video_id) = 1
    ), teaching AS (
        SELECT video_id, row_number() OVER (PARTITION BY person_id ORDER BY coalesce(published_at, registered_at) DESC) AS place
        FROM (SELECT DISTINCT person_id, video_id FROM corrections JOIN corrected_spans USING (correction_id)
              WHERE kind = 'is' AND person_id NOT IN (SELECT person_id FROM enrolments)) taught JOIN videos USING (video_id)
    ), corrected AS (
        SELECT video_id FROM word_corrections UNION SELECT video_id FROM one_video
        UNION SELECT video_id FROM teaching WHERE place <= %(taught_by)s
    )
    SELECT video_id, title,
        min(CASE WHEN too_old THEN 'keep_days is ' || keep_days ELSE 'keep_videos is ' || keep_videos END) AS reason,
        bool_or(keep_corrected) AND video_id IN (SELECT video_id FROM corrected) AS protected
    FROM placed GROUP BY video_id, title, day HAVING bool_and(coalesce(too_old, false) OR coalesce(beyond, false))
    ORDER BY day, video_id
"""
_AUDIO = """
    SELECT video_id, title, 'keep_audio_days is ' || min(keep_audio_days) AS reason, false AS protected
    FROM of_sources JOIN audio USING (video_id) JOIN stage_outputs o USING (video_id)
    WHERE o.asset = 'audio' AND state = 'ready' AND deleted_at IS NULL
    GROUP BY video_id, title, current_at
    HAVING bool_and(coalesce(current_at < now() - make_interval(days => keep_audio_days), false))
    ORDER BY current_at, video_id
"""


@dataclass(frozen=True)
class Expired:
    """A video that no source keeps, or only its audio. `reason` is the option that says so; `protected`: it stays."""

    video_id: str
    title: str
    reason: str
    protected: bool


def expired_videos(database: Database, sources: Sequence[Source]) -> list[Expired]:
    """The videos that these sources, all that are watched, no longer keep; the oldest first."""
    if not any(source.keep_days or source.keep_videos for source in sources):
        return []
    return [Expired(**row) for row in database.query(_OF_SOURCES + _VIDEOS, {**_options(sources), "taught_by": TAUGHT_BY})]


def expired_audio(database: Database, sources: Sequence[Source]) -> list[Expired]:
    """The ready videos whose audio these sources, all that are watched, no longer keep; the oldest first."""
    if not any(source.keep_audio_days for source in sources):
        return []
    return [Expired(**row) for row in database.query(_OF_SOURCES + _AUDIO, _options(sources))]


def _options(sources: Sequence[Source]) -> dict[str, Any]:
    return {
        "sources": [source.address for source in sources],
        "days": [source.keep_days for source in sources],
        "videos": [source.keep_videos for source in sources],
        "audio_days": [source.keep_audio_days for source in sources],
        "corrected": [source.keep_corrected for source in sources],
    }
