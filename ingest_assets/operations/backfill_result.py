"""What a backfill changed: compares the state before and after it, stage by stage.

Speeds are those of the stages' last runs before the backfill and of its own runs; a reused stage has none. Content is compared
by the digests of ingest_assets/stages/outputs.py, if both are known (rows may predate digests, and some stages have none).
Examples are passages of the few videos whose text was stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from earshot.timings.timing import times_real_time

EXAMPLES = 3
UNKNOWN = "run "  # prefix of the content of rows that predate digests


@dataclass(frozen=True)
class StageChange:
    """One stage of a backfill. `noun` names what was counted before and after: words, speakers or passages."""

    stage: str
    videos: int
    redone: int
    reused: int
    missing: int  # not done: the video failed, or the backfill was stopped
    x_realtime_before: float | None
    x_realtime_after: float | None
    changed: int | None  # videos whose content has changed; None if unknown for all
    noun: str
    count_before: int | None
    count_after: int | None


@dataclass(frozen=True)
class Example:
    """A passage that has changed; `now` is "" if the video has no passages left."""

    video_id: str
    title: str
    start_s: float
    was: str
    now: str


def stage_changes(rows: Sequence[Mapping[str, Any]]) -> list[StageChange]:
    """One change per stage, upstream first. `rows` are those of `read_result()`, one for each stage of each video."""
    return [
        _stage_change(stage, [row for row in rows if row["stage"] == stage])
        for stage in STAGES
        if any(row["stage"] == stage for row in rows)
    ]


def _stage_change(stage: str, rows: Sequence[Mapping[str, Any]]) -> StageChange:
    redone = [row for row in rows if row["after"] is not None and row["after"] != row["before"]]
    known = [row for row in rows if _is_known(row["content_before"]) and _is_known(row["content_after"])]
    noun = {"transcript": "words", "speaker_turns": "speakers", "text_embeddings": "passages"}.get(stage, "")
    counted = [row for row in rows if row["count_before"] is not None and row["count_after"] is not None] if noun else []
    return StageChange(
        stage=stage,
        videos=len(rows),
        redone=len(redone),
        reused=sum(row["reused"] for row in rows),
        missing=len(rows) - len(redone) - sum(row["reused"] for row in rows),
        x_realtime_before=_speed(redone, "before"),
        x_realtime_after=_speed(redone, "after"),
        changed=sum(row["content_before"] != row["content_after"] for row in known) if known else None,
        noun=noun,
        count_before=sum(row["count_before"] for row in counted) if counted else None,
        count_after=sum(row["count_after"] for row in counted) if counted else None,
    )


def _is_known(content: str | None) -> bool:
    return bool(content) and not str(content).startswith(UNKNOWN)


def _speed(rows: Sequence[Mapping[str, Any]], when: str) -> float | None:
    """Times real time over the videos whose runs before and after are both known."""
    timed = [row for row in rows if row["audio_s_before"] is not None]
    if not timed:
        return None
    return times_real_time(sum(row[f"audio_s_{when}"] for row in timed), sum(row[f"took_s_{when}"] for row in timed), 0.0)


def changed_passages(rows: Sequence[Mapping[str, Any]], most: int = EXAMPLES) -> list[Example]:
    """The first changed passage of each video whose text was stored, at most `most` in all."""
    examples = [example for row in rows if row["said_before"] and (example := _first_change(row))]
    return examples[:most]


def _first_change(row: Mapping[str, Any]) -> Example | None:
    now = row["said_after"] or []
    texts_now = {passage["text"] for passage in now}
    for passage in row["said_before"]:
        if passage["text"] not in texts_now:
            earlier = [current for current in now if current["start_s"] <= passage["start_s"]]
            text = earlier[-1]["text"] if earlier else (now[0]["text"] if now else "")
            return Example(row["video_id"], row["title"], passage["start_s"], passage["text"], text)
    return None


def read_result(database: Database, backfill_id: str) -> list[dict[str, Any]]:
    """The rows for `stage_changes()` and `changed_passages()`, sorted by video key."""
    return database.query(
        """
        SELECT b.video_id, title, b.asset AS stage, b.timing_id AS before, o.timing_id AS after,
            coalesce(o.timing_id = b.timing_id AND o.current_at >= s.started_at, FALSE) AS reused,
            b.content AS content_before, o.content AS content_after,
            was.audio_s AS audio_s_before, was.wall_s - was.load_s AS took_s_before,
            is_now.audio_s AS audio_s_after, is_now.wall_s - is_now.load_s AS took_s_after,
            coalesce((CASE b.asset WHEN 'transcript' THEN b.details ->> 'words'
                WHEN 'speaker_turns' THEN b.details ->> 'speakers' END)::int,
                CASE b.asset WHEN 'text_embeddings' THEN was.items::int END) AS count_before,
            coalesce((CASE b.asset WHEN 'transcript' THEN o.details ->> 'words'
                WHEN 'speaker_turns' THEN o.details ->> 'speakers' END)::int,
                CASE b.asset WHEN 'text_embeddings' THEN is_now.items::int END) AS count_after,
            b.said AS said_before,
            CASE WHEN b.said IS NOT NULL THEN (
                SELECT jsonb_agg(jsonb_build_object('start_s', p.start_s, 'text', p.text) ORDER BY p.passage_index)
                FROM passages p WHERE p.video_id = b.video_id AND (p.model, p.model_revision) = (o.model, o.model_revision)
            ) END AS said_after
        FROM backfill_before b JOIN backfills s USING (backfill_id) JOIN videos USING (video_id)
        LEFT JOIN stage_outputs o ON (o.video_id, o.asset) = (b.video_id, b.asset)
        LEFT JOIN asset_timings was ON was.timing_id = b.timing_id
        LEFT JOIN asset_timings is_now ON is_now.timing_id = o.timing_id
        WHERE b.backfill_id = %s ORDER BY b.video_id
        """,
        [backfill_id],
    )
