"""Staleness: the library's stale stages, and why they are stale.

Lists each stage of each `ready` video that would run again today, because its code version, its model, its inputs or its hints
have changed. ingest_assets/stages/freshness.py has the rules, ingest_assets/stages/outputs.py the records. Videos that were
never fully ingested are not stale but new, or await a retry (`earshot videos`).

Does not detect changed settings that change no model, nor recordings that changed at their source.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from earshot.common.table import Table
from earshot.common.times import format_hms
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.database import Database
from ingest_assets.stages.freshness import Version, reasons_to_run
from ingest_assets.stages.outputs import find_stale_videos, read_outputs
from ingest_assets.stages.versions import expected_versions

AT_ONCE = 5_000  # videos whose outputs are in memory at a time; those of 100,000 take more than a gigabyte


@dataclass(frozen=True, slots=True)
class StaleStage:
    """A stage of a video that would run again, and why; `took_s` is how many seconds it took last time, without loading models,
    None if it never ran."""

    video_id: str
    title: str
    source: str
    stage: str
    reason: str
    took_s: float | None


@dataclass(frozen=True)
class StaleReason:
    """The stale stages of one kind for one reason: the number of videos, their total seconds, and one video's key."""

    stage: str
    reason: str
    videos: int
    took_s: float
    example: str


def find_stale(database: Database, stages: Sequence[str] = STAGES) -> list[StaleStage]:
    """The stale stages among these, sorted by video key, upstream first."""
    expected = expected_versions()
    video_ids = sorted(find_stale_videos(database, expected, UPSTREAM))
    batches = (video_ids[first : first + AT_ONCE] for first in range(0, len(video_ids), AT_ONCE))
    return [stale for batch in batches for stale in _stale_of(database, batch, expected) if stale.stage in stages]


def stale_videos(database: Database) -> list[str]:
    """The ready videos that have a stale stage."""
    return find_stale_videos(database, expected_versions(), UPSTREAM)


def find_stale_among(database: Database, video_ids: Sequence[str]) -> list[StaleStage]:
    """The stale stages of these videos, whatever their states."""
    return list(_stale_of(database, video_ids, expected_versions()))


def _stale_of(database: Database, video_ids: Sequence[str], expected: Mapping[str, Version]) -> Iterator[StaleStage]:
    """The stale stages of these videos, sorted by key."""
    outputs = read_outputs(database, video_ids)
    catalogued = database.query("SELECT video_id, title, source FROM videos WHERE video_id = ANY(%s)", [list(video_ids)])
    for video in sorted(catalogued, key=lambda video: video["video_id"]):
        last = outputs.get(video["video_id"], {})
        for stage, reason in reasons_to_run(expected, UPSTREAM, last).items():
            yield StaleStage(**video, stage=stage, reason=reason, took_s=last[stage].took_s if stage in last else None)


def count_videos(stages: Iterable[StaleStage]) -> int:
    """The number of videos that these stages belong to."""
    return len({stale.video_id for stale in stages})


def stale_table(stages: Iterable[StaleStage]) -> Table:
    """A printable table of the stale stages, one row per stage and reason."""
    headings = [("stage", "left"), ("videos", "right"), ("took", "right"), ("why", "left"), ("one of them", "left")]
    rows = [
        [group.stage, f"{group.videos:,}", format_hms(group.took_s), group.reason, group.example]
        for group in summarize_stale(stages)
    ]
    return Table(headings, rows)


def summarize_stale(stages: Iterable[StaleStage]) -> list[StaleReason]:
    """The stale stages by stage, upstream first, and reason, the most frequent first."""
    groups: defaultdict[tuple[str, str], list[StaleStage]] = defaultdict(list)
    for stale in stages:
        groups[stale.stage, stale.reason].append(stale)
    ordered = sorted(groups, key=lambda group: (STAGES.index(group[0]), -len(groups[group]), group[1]))
    return [_summary(*group, groups[group]) for group in ordered]


def _summary(stage: str, reason: str, stages: Sequence[StaleStage]) -> StaleReason:
    took_s = sum(stale.took_s or 0.0 for stale in stages)
    return StaleReason(stage, reason, len(stages), took_s, stages[0].video_id)
