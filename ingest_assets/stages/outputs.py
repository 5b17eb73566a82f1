"""Outputs: records each stage's last output of each video, what it was made from, and its cost.

The transaction that changes a stage's rows deletes its row of table `stage_outputs`; the end of the stage inserts a new one,
with those of `asset_timings` and `check_failures`. So an interrupted stage has no output and runs again.
ingest_assets/stages/freshness.py decides what is stale.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from earshot.storage.catalog.video_hints import KEYS_OF_STAGES, known_source_hints
from earshot.storage.database import Connection, Database
from earshot.timings.timing import git_commit
from ingest_assets.stages.freshness import Output, Version

if TYPE_CHECKING:
    import pandas as pd

    from earshot.timings.judgement import Judgement
    from earshot.timings.timing import Timing


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of a stage, with its timing and the checks of it."""

    video_id: str
    asset: str
    run_id: str
    code_version: str
    figures: "Timing"
    examined: "Judgement"


@dataclass(frozen=True)
class StageResult:
    """The result of a finished stage besides its rows; `upstream` are the stages above, `details` its further metadata,
    `word_corrections` the numbers of the corrections of words that it applied, `hints` the user's that it was run with."""

    timed: FinishedRun
    version: Version
    upstream: Set[str]
    content: str
    details: Mapping[str, str | int]
    word_corrections: Sequence[int] = ()
    hints: Mapping[str, Any] = field(default_factory=dict)


# The outputs of hinted videos for which a hint is another now: the keys. While sources.yaml is invalid, only the hints of the
# videos themselves are compared.
_CHANGED_HINTS = """
    SELECT o.timing_id, o.video_id, array_agg(of_stage.key ORDER BY of_stage.key) AS keys
    FROM {hinted} JOIN videos v USING (video_id) JOIN stage_outputs o USING (video_id)
    JOIN unnest(%(hinted_stages)s::text[], %(hint_keys)s::text[]) AS of_stage (asset, key) USING (asset)
    LEFT JOIN video_hints h USING (video_id)
    LEFT JOIN unnest(%(hinted_sources)s::text[], %(source_hints)s::jsonb[]) AS s (source, hints) USING (source)
    WHERE (%(sources_known)s OR h.hints ? of_stage.key)
        AND nullif(nullif(coalesce(h.hints -> of_stage.key, s.hints -> of_stage.key), '[]'), '""')
            IS DISTINCT FROM o.hints -> of_stage.key
    GROUP BY o.timing_id, o.video_id
"""
_ALL_HINTED = """(
    SELECT video_id FROM video_hints UNION SELECT video_id FROM stage_outputs WHERE hints <> '{}'
    UNION SELECT video_id FROM videos WHERE source = ANY(%(hinted_sources)s::text[])
) AS hinted"""


def _present_hints() -> dict[str, Any]:
    """The parameters of _CHANGED_HINTS."""
    sources = known_source_hints()
    pairs = [(stage, key) for stage, keys in KEYS_OF_STAGES.items() for key in keys]
    return {
        "hinted_stages": [stage for stage, _ in pairs],
        "hint_keys": [key for _, key in pairs],
        "hinted_sources": list(sources or ()),
        "source_hints": [Jsonb(hints.given) for hints in (sources or {}).values()],
        "sources_known": sources is not None,
    }


def content_digest(*frames: "pd.DataFrame") -> str:
    """sha256 of these frames, rows in their order."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(frame.to_csv(index=False).encode())
    return digest.hexdigest()


def read_outputs(database: Database, video_ids: Sequence[str]) -> Mapping[str, dict[str, Output]]:
    """The last outputs of these videos, by video and stage."""
    outputs: defaultdict[str, dict[str, Output]] = defaultdict(dict)
    changed_hints = _CHANGED_HINTS.format(hinted="unnest(%(videos)s::text[]) AS hinted (video_id)")
    rows = database.query(
        f"""
        SELECT o.video_id, o.asset, o.code_version, o.model, o.model_revision, content, made_from, wall_s - load_s AS took_s,
            timing_id IN (SELECT timing_id FROM outdated_passages) AS words_changed, coalesce(c.keys, '{{}}') AS changed_hints
        FROM stage_outputs o JOIN asset_timings USING (timing_id) LEFT JOIN ({changed_hints}) c USING (timing_id)
        WHERE o.video_id = ANY(%(videos)s)
        """,  # noqa: S608
        {"videos": list(video_ids), **_present_hints()},
    )
    for row in rows:
        version = Version(row["code_version"], row["model"], row["model_revision"])
        outputs[row["video_id"]][row["asset"]] = Output(
            version, row["content"], row["made_from"], row["took_s"], row["words_changed"], row["changed_hints"]
        )
    return outputs


def find_stale_videos(database: Database, expected: Mapping[str, Version], upstream: Mapping[str, Set[str]]) -> list[str]:
    """The `ready` videos with a stage that has no output, one of another version, or one made from other inputs, with other
    hints or with other corrections of words: those for which `reasons_to_run()` returns a reason.

    Found by SQL, so that current outputs need not be read.
    """
    edges = [(stage, above) for stage in expected for above in upstream[stage]]
    changed_hints = _CHANGED_HINTS.format(hinted=_ALL_HINTED)
    rows = database.query(
        f"""
        WITH expected AS (
            SELECT * FROM unnest(%(stages)s::text[], %(code)s::text[], %(models)s::text[], %(revisions)s::text[])
                AS e (asset, code_version, model, model_revision)
        ), alike AS (
            SELECT video_id FROM stage_outputs JOIN expected USING (asset, code_version, model, model_revision)
            GROUP BY video_id HAVING count(*) = cardinality(%(stages)s::text[])
        ), made_from_another AS (
            SELECT o.video_id FROM unnest(%(below)s::text[], %(above)s::text[]) AS edge (asset, above)
            JOIN stage_outputs o USING (asset) LEFT JOIN stage_outputs a ON (a.video_id, a.asset) = (o.video_id, edge.above)
            WHERE a.content IS NULL OR o.made_from ->> edge.above IS DISTINCT FROM a.content
        )
        SELECT video_id FROM videos WHERE state = 'ready'
            AND (video_id NOT IN (SELECT video_id FROM alike) OR video_id IN (SELECT video_id FROM made_from_another)
                OR video_id IN (SELECT video_id FROM outdated_passages)
                OR video_id IN (SELECT video_id FROM ({changed_hints}) c))
        """,  # noqa: S608
        {
            "stages": list(expected),
            "code": [version.code_version for version in expected.values()],
            "models": [version.model for version in expected.values()],
            "revisions": [version.model_revision for version in expected.values()],
            "below": [below for below, _ in edges],
            "above": [above for _, above in edges],
            **_present_hints(),
        },
    )
    return [row["video_id"] for row in rows]


def invalidate_output(connection: Connection, video_id: str, asset: str) -> bool:
    """Mark the stage as unfinished, in the transaction that changes its rows. Returns whether it had an output."""
    deleted = connection.execute("DELETE FROM stage_outputs WHERE video_id = %s AND asset = %s", [video_id, asset])
    return deleted.rowcount == 1


def record_result(database: Database, result: StageResult) -> None:
    """Record the end of the stage in one transaction: its timing, its failed checks and its output."""
    video_id, asset = result.timed.video_id, result.timed.asset
    with database.connect() as connection:
        output = {
            "video_id": video_id,
            "asset": asset,
            "timing_id": record_timing(connection, result.timed),
            **asdict(result.version),
            "content": result.content,
            "made_from": Jsonb(_contents(connection, video_id, result.upstream)),
            "details": Jsonb(dict(result.details)),
            "word_corrections": list(result.word_corrections),
            "hints": Jsonb(dict(result.hints)),
        }
        invalidate_output(connection, video_id, asset)
        _insert(connection, "stage_outputs", output, "timing_id")


def record_timing(connection: Connection, timed: FinishedRun) -> int:
    """Record a timing and its failed checks, as part of the caller's transaction; returns the timing's id."""
    key = {"video_id": timed.video_id, "asset": timed.asset, "run_id": timed.run_id}
    timing = {
        **key,
        "code_version": timed.code_version,
        "git_commit": git_commit(),
        "speed": timed.examined.speed.value,
        "waiting": timed.examined.waiting.value,
        "cause": timed.examined.cause,
        **asdict(timed.figures),
    }
    timing_id = _insert(connection, "asset_timings", timing, "timing_id")
    for outcome in timed.examined.findings:
        if outcome.level.flagged:
            failure = {"severity": outcome.level.value, "cause": outcome.cause, "message": outcome.message}
            _insert(connection, "check_failures", {**key, "check_name": outcome.check, **failure}, "failure_id")
    if timed.examined.follow:
        from earshot.timings.history import follow  # imports numpy, which `earshot stale` does not need

        follow(connection, timed.asset, timed.examined.follow)
    return timing_id


def _contents(connection: Connection, video_id: str, stages: Set[str]) -> dict[str, str]:
    """The content digests of these stages, which cannot change while the run holds the video's lock."""
    rows = connection.execute(
        "SELECT asset, content FROM stage_outputs WHERE video_id = %s AND asset = ANY(%s)", [video_id, list(stages)]
    )
    return {row["asset"]: row["content"] for row in rows}


def _insert(connection: Connection, table: str, row: dict[str, Any], returning: str) -> int:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
        sql.Identifier(returning),
    )
    [inserted] = connection.execute(statement, row).fetchall()
    return inserted[returning]
