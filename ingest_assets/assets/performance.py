"""Asset `performance`: the report of all timings, shown in the asset graph below the stages.

A materialization stores that day's table and two plots, the stale stages, and the totals as floats, which the UI plots over
time. It reads tables `asset_timings` and `check_failures` and writes none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from dagster import MaterializeResult, MetadataValue, asset

from earshot.sources.media.pictures import markdown_image
from earshot.storage.catalog.stages import MEASURED
from earshot.timings.queries import OpenFailure, read_open_failures, read_timings
from earshot.timings.report import Row, report, report_table
from earshot.timings.timing import hours_by_the_clock
from ingest_assets.assets.audio import audio
from ingest_assets.assets.speaker_turns import speaker_turns
from ingest_assets.assets.text_embeddings import text_embeddings
from ingest_assets.assets.transcript import transcript
from ingest_assets.assets.voice_embeddings import voice_embeddings
from ingest_assets.presentation.metadata import rounded
from ingest_assets.stages.staleness import StaleStage, count_videos, find_stale, stale_table
from resources.database import DatabaseResource

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAY_S = 86400.0
COUNTS = ("videos", "open_regressions", "videos_out_of_date")


@asset(
    group_name="library",
    deps=[audio, transcript, speaker_turns, voice_embeddings, text_embeddings],
    kinds={"matplotlib"},
    description="The cost of each stage, its changes, and the stages found too slow: a table, two plots, totals.\n\n"
    "It has no rows of its own: it reports those of `asset_timings`.",
    tags={"earshot/per": "library"},
)
def performance(database: DatabaseResource) -> MaterializeResult:
    opened = database.open()
    rows = read_timings(opened)
    if not rows:
        return MaterializeResult(metadata={"stages": MetadataValue.md("No timings yet: nothing has been ingested.")})
    failing, reported, stale = read_open_failures(opened), report(rows, MEASURED), find_stale(opened)
    totals = _totals(reported, read_timings(opened, days=1.0), failing, stale)
    return MaterializeResult(metadata=totals | _tables_and_plots(rows, reported, failing, stale))


def _totals(
    reported: pd.DataFrame, last_day: Sequence[Row], failing: Sequence[OpenFailure], stale: Sequence[StaleStage]
) -> dict[str, MetadataValue]:
    total = reported.iloc[-1]
    figures = {
        "audio_hours": total.audio_s / 3600.0,
        "videos": total.videos,
        "rtf": total.rtf,
        "x_realtime": total.x_realtime,
        "hours_by_the_clock_last_day": hours_by_the_clock(_audio_s(last_day), DAY_S),
        "open_regressions": len(failing),
        "videos_out_of_date": count_videos(stale),
    }
    return {
        key: MetadataValue.int(int(value)) if key in COUNTS else MetadataValue.float(rounded(key, float(value)))
        for key, value in figures.items()
    }


def _audio_s(rows: Sequence[Row]) -> float:
    """Seconds of audio in these timings, counting each video once."""
    return 0.0 if not rows else float(report(rows, MEASURED).iloc[-1].audio_s)


def _tables_and_plots(
    rows: Sequence[Row], reported: pd.DataFrame, failing: Sequence[OpenFailure], stale: Sequence[StaleStage]
) -> dict[str, MetadataValue]:
    from earshot.timings.plots import item_rates, stage_times

    failures = "\n".join(f"- {failure}" for failure in failing)
    return {
        "stages": MetadataValue.md(report_table(reported).markdown),
        "time_per_audio_hour": _picture("Time per audio hour", stage_times(rows)),
        "items_per_second": _picture("Inputs per second of computing", item_rates(rows)),
        "failing_checks": MetadataValue.md(failures or "None in the last seven days."),
        "out_of_date": MetadataValue.md(stale_table(stale).markdown if stale else "Nothing."),
    }


def _picture(title: str, figure: "Figure") -> MetadataValue:
    from earshot.timings.plots import as_png

    return MetadataValue.md(markdown_image(title, as_png(figure)))
