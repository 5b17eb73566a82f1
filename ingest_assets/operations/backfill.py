"""Backfills: Dagster runs stages of many videos again; the UI shows each video and can cancel the backfill.

`choose()` returns which stages of which videos to run: the stale or the named stages, and those made from them. `launch()`
stores their present state (for ingest_assets/operations/backfill_result.py) and adds a Dagster backfill, whose daemon starts
one run per video, at the end of the queue. It targets exactly these stages of each video, which Dagster's own backfill form
cannot. A stage whose inputs turn out unchanged is reused (ingest_assets/stages/stage.py).

A backfill belongs to Dagster: it continues after its launcher exits. Backfills launched in the UI are included.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetKey, DagsterInstance, DagsterRunStatus, RunsFilter

from earshot.common.errors import EarshotError
from earshot.storage.catalog.previous_rows import KEEP_TAG
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database
from ingest_assets.operations.runs import ACTIVE
from ingest_assets.partitions import videos
from ingest_assets.stages.stage import FORCE_TAG
from ingest_assets.stages.staleness import StaleStage, find_stale
from resources.instance.dagster_internals import (
    BACKFILL_ID_TAG,
    BULK_ACTION_TERMINAL_STATUSES,
    PRIORITY_TAG,
    WILL_RETRY_TAG,
    AssetGraphSubset,
    BulkActionStatus,
    PartitionBackfill,
    make_new_backfill_id,
)

# Behind new uploads (10), retries (5) and runs started by hand (0).
BACKFILL_PRIORITY = -10
# The number of newest videos whose passages are stored, so that the comparison can show examples.
EXAMPLES_OF = 20
KEPT_DAYS = 90
STOPPED = (BulkActionStatus.FAILING, BulkActionStatus.FAILED)


@dataclass(frozen=True)
class Progress:
    """A backfill's progress in videos; `error` says why it was stopped, if it was.

    A run that Dagster will retry because its process died does not count as failed.
    """

    status: str
    videos: int
    done: int
    failed: int
    working: int
    since_s: float
    error: str = ""

    @property
    def ended(self) -> bool:
        return BulkActionStatus(self.status) in BULK_ACTION_TERMINAL_STATUSES

    @property
    def remaining_s(self) -> float | None:
        """Remaining seconds at the speed so far; None until the first run has ended."""
        ran = self.done + self.failed
        return self.since_s / ran * (self.videos - ran) if ran else None


def with_below(stages: Sequence[str]) -> list[str]:
    """The stages and everything made from them, upstream first."""
    below = set(stages)
    for stage in STAGES:
        if UPSTREAM[stage] & below:
            below.add(stage)
    return [stage for stage in STAGES if stage in below]


def choose(
    database: Database, stages: Sequence[str], only_stale: bool, which: VideoFilter, limit: int | None = None
) -> list[StaleStage]:
    """The stages to run of `ready` videos, newest first and upstream first; `limit` counts videos.

    These are the given stages and those below them; with `only_stale`, just the stale ones among them.
    """
    ready = _ready(database, which)
    with_all_below = with_below(stages)
    if only_stale:
        chosen = find_stale(database, with_all_below)
    else:
        chosen = _all_stages(database, ready[:limit], with_all_below, stages)
    affected = {stale.video_id for stale in chosen}
    kept = [video_id for video_id in ready if video_id in affected][:limit]
    order = {video_id: index for index, video_id in enumerate(kept)}
    return sorted(
        (stale for stale in chosen if stale.video_id in order),
        key=lambda stale: (order[stale.video_id], STAGES.index(stale.stage)),
    )


def launch(
    chosen: Sequence[StaleStage],
    forced: Sequence[str],
    title: str,
    database: Database,
    instance: DagsterInstance,
    keep_previous: bool = False,
) -> str:
    """Start the backfill; returns its id. `forced` stages are not reused. `keep_previous` keeps the replaced rows."""
    backfill_id, video_ids = make_new_backfill_id(), list(dict.fromkeys(stale.video_id for stale in chosen))
    by_stage: defaultdict[str, list[str]] = defaultdict(list)
    for stale in chosen:
        by_stage[stale.stage].append(stale.video_id)
    _store_state_before(database, backfill_id, chosen, video_ids)
    instance.add_dynamic_partitions(str(videos.name), video_ids)
    subsets = {AssetKey(stage): videos.empty_subset().with_partition_keys(keys) for stage, keys in by_stage.items()}
    instance.add_backfill(
        PartitionBackfill.from_asset_graph_subset(
            backfill_id=backfill_id,
            backfill_timestamp=time.time(),
            tags=_tags(forced, keep_previous),
            dynamic_partitions_store=instance,
            asset_graph_subset=AssetGraphSubset(partitions_subsets_by_asset_key=subsets),
            title=title,
            description=None,
            run_config=None,
        )
    )
    return backfill_id


def _tags(forced: Sequence[str], keep_previous: bool) -> dict[str, str]:
    tags = {PRIORITY_TAG: str(BACKFILL_PRIORITY)}
    if forced:
        tags[FORCE_TAG] = ",".join(forced)
    if keep_previous:
        tags[KEEP_TAG] = "true"
    return tags


def cancel(instance: DagsterInstance, backfill_id: str) -> None:
    """Cancel the backfill in Dagster: active runs stop, finished ones stay."""
    backfill = _backfill(instance, backfill_id)
    if backfill.status in BULK_ACTION_TERMINAL_STATUSES:
        raise EarshotError(f"Backfill {backfill_id} has ended ({backfill.status.value.lower()}).", "There is nothing to stop.")
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELING))


def read_progress(database: Database, instance: DagsterInstance, backfill_id: str) -> Progress:
    """The progress of a backfill over videos, also from the UI. Raises EarshotError if it is unknown or has no videos."""
    backfill = _backfill(instance, backfill_id)
    stored = database.query("SELECT videos FROM backfills WHERE backfill_id = %s", [backfill_id])
    video_count = stored[0]["videos"] if stored else len(_targets(backfill))
    if video_count == 0:
        raise EarshotError(f"Backfill {backfill_id} is not one over videos.", "The UI shows its progress.")

    def count(*statuses: DagsterRunStatus, **tags: str) -> int:
        return instance.get_runs_count(RunsFilter(tags={BACKFILL_ID_TAG: backfill_id, **tags}, statuses=statuses))

    return Progress(
        backfill.status.value,
        video_count,
        done=count(DagsterRunStatus.SUCCESS),
        failed=count(DagsterRunStatus.FAILURE) - count(DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "true"}),
        working=count(*ACTIVE),
        since_s=(backfill.backfill_end_timestamp or time.time()) - backfill.backfill_timestamp,
        error=backfill.error.message if backfill.error and backfill.status in STOPPED else "",
    )


def _targets(backfill: PartitionBackfill) -> set[str]:
    """The videos for which a backfill runs any stage, from Dagster's own record of it."""
    if backfill.asset_backfill_data is None:
        return set(backfill.partition_names or [])
    subsets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    stage_subsets = [subset for key, subset in subsets.items() if key.to_user_string() in STAGES]
    return {video_id for subset in stage_subsets for video_id in subset.get_partition_keys()}


def _backfill(instance: DagsterInstance, backfill_id: str) -> PartitionBackfill:
    backfill = instance.get_backfill(backfill_id)
    if backfill is None:
        raise EarshotError(f"There is no backfill {backfill_id!r}.", "The UI lists them under Runs, Backfills.")
    return backfill


def count_undated(database: Database, which: VideoFilter) -> int:
    """The number of videos that match the other conditions, but that `since` and `until` exclude because they have no date."""
    if not which.has_days:
        return 0
    statement = f"SELECT count(*) AS videos {_READY} AND v.published_at IS NULL"
    return database.query(statement, _parameters(which))[0]["videos"]


_READY = """
    FROM videos v LEFT JOIN transcripts t USING (video_id)
    WHERE v.state = 'ready'
        AND (%(sources)s::text[] IS NULL OR v.source = ANY(%(sources)s))
        AND (%(videos)s::text[] IS NULL OR v.video_id = ANY(%(videos)s))
        AND (%(languages)s::text[] IS NULL OR t.language = ANY(%(languages)s))
"""


def _ready(database: Database, which: VideoFilter) -> list[str]:
    """The ready videos that match, newest upload first."""
    rows = database.query(
        f"""
        SELECT v.video_id {_READY}
            AND (%(since)s::date IS NULL OR (v.published_at AT TIME ZONE 'UTC')::date >= %(since)s)
            AND (%(until)s::date IS NULL OR (v.published_at AT TIME ZONE 'UTC')::date <= %(until)s)
        ORDER BY v.published_at DESC NULLS LAST, v.video_id
        """,
        _parameters(which),
    )
    return [row["video_id"] for row in rows]


def _parameters(which: VideoFilter) -> dict[str, Any]:
    return {**which.names, "since": which.since, "until": which.until}


def _all_stages(database: Database, video_ids: list[str], stages: Sequence[str], named: Sequence[str]) -> list[StaleStage]:
    """All of these stages of these videos, with the seconds that each took last time."""
    rows = database.query(
        """
        SELECT v.video_id, title, source, stage, wall_s - load_s AS took_s,
            CASE WHEN stage = ANY(%(named)s) THEN 'asked for' ELSE 'made from what is asked for' END AS reason
        FROM unnest(%(videos)s::text[]) AS v (video_id) JOIN videos USING (video_id)
        CROSS JOIN unnest(%(stages)s::text[]) AS stage
        LEFT JOIN stage_outputs o ON (o.video_id, o.asset) = (v.video_id, stage)
        LEFT JOIN asset_timings t ON t.timing_id = o.timing_id
        """,
        {"videos": video_ids, "stages": list(stages), "named": list(named)},
    )
    return [StaleStage(**row) for row in rows]


def _store_state_before(database: Database, backfill_id: str, chosen: Sequence[StaleStage], video_ids: Sequence[str]) -> None:
    with database.connect() as connection:
        connection.execute("DELETE FROM backfills WHERE started_at < now() - make_interval(days => %s)", [KEPT_DAYS])
        connection.execute("INSERT INTO backfills (backfill_id, videos) VALUES (%s, %s)", [backfill_id, len(video_ids)])
        connection.execute(
            "INSERT INTO backfill_before (backfill_id, video_id, asset, timing_id, content, details) "
            "SELECT %s, c.video_id, c.asset, timing_id, content, details "
            "FROM unnest(%s::text[], %s::text[]) AS c (video_id, asset) LEFT JOIN stage_outputs o USING (video_id, asset)",
            [backfill_id, [stale.video_id for stale in chosen], [stale.stage for stale in chosen]],
        )
        connection.execute(
            """
            UPDATE backfill_before b SET said = (
                SELECT jsonb_agg(jsonb_build_object('start_s', p.start_s, 'text', p.text) ORDER BY p.passage_index)
                FROM passages p JOIN stage_outputs o USING (video_id, model, model_revision)
                WHERE p.video_id = b.video_id AND o.asset = b.asset)
            WHERE backfill_id = %s AND asset = 'text_embeddings' AND video_id = ANY(%s)
            """,
            [backfill_id, list(video_ids[:EXAMPLES_OF])],
        )
