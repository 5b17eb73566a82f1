"""Staleness: the library's stale stages, and why they are stale.

Lists each stage of each `ready` video that would run again today, because its code version, its model or its inputs have
changed. ingest_assets/stages/freshness.py has the rules, ingest_assets/stages/outputs.py the records. Videos that were never
fully ingested are not stale but new, or await a retry (`earshot videos`).

Does not detect changed settings that change no model, nor recordings that changed at their source.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from earshot.common.times import format_hms
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.database import Database
from earshot.timings.report import Table
from ingest_assets.stages.freshness import Version, reasons_to_run
from ingest_assets.stages.outputs import find_stale_videos, read_outputs
from ingest_assets.stages.versions import expected_versions

COLUMNS = ["video_id", "title", "source", "stage", "reason", "took_s"]
STAGE = COLUMNS.index("stage")
AT_ONCE = 5_000  # videos whose outputs are in memory at a time; those of 100,000 take more than a gigabyte


def read_stale(database: Database, stages: Sequence[str] = STAGES) -> pd.DataFrame:
    """The stale stages among these, sorted by video key, upstream first.

    Columns: video_id, title, source, stage, reason, took_s (seconds that the stage took last time, without loading models; NaN
    if it never ran).
    """
    expected = expected_versions()
    video_ids = sorted(find_stale_videos(database, expected, UPSTREAM))
    batches = (video_ids[first : first + AT_ONCE] for first in range(0, len(video_ids), AT_ONCE))
    rows = [row for batch in batches for row in _stale_of(database, batch, expected) if row[STAGE] in stages]
    return pd.DataFrame(rows, columns=COLUMNS)


def _stale_of(database: Database, video_ids: Sequence[str], expected: Mapping[str, Version]) -> Iterator[tuple[object, ...]]:
    """The rows of these videos, sorted by key."""
    outputs = read_outputs(database, video_ids)
    catalogued = database.query("SELECT video_id, title, source FROM videos WHERE video_id = ANY(%s)", [list(video_ids)])
    for video in sorted(catalogued, key=lambda video: video["video_id"]):
        last = outputs.get(video["video_id"], {})
        for stage, reason in reasons_to_run(expected, UPSTREAM, last).items():
            yield *video.values(), stage, reason, last[stage].took_s if stage in last else float("nan")


def stale_sheet(stale: pd.DataFrame) -> Table:
    """A printable table of the stale stages, one row per stage and reason."""
    headings = [("stage", "left"), ("videos", "right"), ("took", "right"), ("why", "left"), ("one of them", "left")]
    rows = [
        [row["stage"], f"{row['videos']:,}", format_hms(row["took_s"]), row["reason"], row["example"]]
        for row in summarize_stale(stale).to_dict("records")
    ]
    return Table(headings, rows)


def summarize_stale(stale: pd.DataFrame) -> pd.DataFrame:
    """One row per stage and reason, upstream first: stage, reason, number of videos, total took_s, and one video's key."""
    order = {stage: index for index, stage in enumerate(STAGES)}
    grouped = stale.groupby(["stage", "reason"], as_index=False).agg(
        videos=("video_id", "size"), took_s=("took_s", "sum"), example=("video_id", "first")
    )
    return grouped.sort_values(["stage", "videos"], key=lambda column: column.map(order) if column.name == "stage" else -column)
