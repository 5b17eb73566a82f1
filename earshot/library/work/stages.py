"""Stages: find them by name, and those that are out of date."""

from earshot.common.errors import EarshotError
from earshot.library.lookup import Names, several
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from ingest_assets.stages.staleness import StaleStage, count_videos, find_stale, stale_table, stale_videos

__all__ = ["STAGES", "count_videos", "known_stages", "stale_stages", "stale_table", "stale_videos"]


def known_stages(names: Names) -> tuple[str, ...]:
    """These stages; raises EarshotError for an unknown one."""
    for name in several(names):
        if name not in STAGES:
            raise EarshotError(f"There is no stage {name!r}.", f"Stages: {', '.join(STAGES)}.")
    return several(names)


def stale_stages(database: Database, names: Names) -> list[StaleStage]:
    """The stale stages with these names, or all."""
    return find_stale(database, known_stages(names) or STAGES)
