"""A stage: one asset at work on one video, whichever asset it is.

`stage(context, database)` is what the five assets share. It finds the video of the partition key, measures,
and on an error that Earshot can explain writes it into the catalogue and fails the step without retries. At the
end the asset calls `finish()`, which writes the row of `asset_timings` and returns the same figures as metadata.

What an asset does to a video is in the asset's own module.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import pandas as pd
from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue

from ingest_assets import progress
from ingest_assets.timings import Timing, git_commit, metadata, timing
from resources.catalogue import Video, find, mark_ready_if_complete, record_failure
from resources.database import Database, DatabaseResource
from resources.errors import EarshotError, Misconfigured
from resources.measurement import Execution, Measurement

# A run with this tag reuses nothing: `earshot ingest --force` sets it, and the launchpad of the UI can.
FORCE_TAG = "earshot/force"


@dataclass(frozen=True)
class Stage:
    """One asset at work on one video."""

    context: AssetExecutionContext
    database: Database
    video: Video
    measurement: Measurement

    @property
    def asset(self) -> str:
        return self.context.asset_key.to_user_string()

    @property
    def forced(self) -> bool:
        """Whether the run was asked to do again what is already there."""
        return FORCE_TAG in self.context.run.tags

    @property
    def report(self) -> Callable[[float], None]:
        """Tells whoever watches which share of this stage is done."""
        return lambda share: progress.report(self.asset, share)

    def rows(self, table: str, order: str) -> pd.DataFrame:
        """This video's rows of a table."""
        with self.measurement.reading_writing():
            return self.database.frame(table, self.video.video_id, order)

    def replace(self, frames: dict[str, pd.DataFrame]) -> None:
        """Replace this video's rows of these tables, all or nothing."""
        with self.measurement.reading_writing():
            self.database.replace(self.video.video_id, frames)

    def finish(
        self, execution: Execution, audio_s: float, items: int, cache_hits: int = 0, cache_misses: int = 0, **more: str
    ) -> MaterializeResult:
        """Keep the timing and tell Dagster; `more` is further metadata, as text. The last thing an asset does."""
        figures = timing(self.measurement, execution, audio_s, items, cache_hits, cache_misses)
        _keep(self, figures)
        mark_ready_if_complete(self.database, self.video.video_id)
        self.report(1.0)
        return MaterializeResult(metadata=metadata(figures) | {key: MetadataValue.text(value) for key, value in more.items()})


@contextmanager
def stage(context: AssetExecutionContext, database: DatabaseResource) -> Iterator[Stage]:
    """The stage of this context's asset and partition."""
    opened = database.open()
    video_id = context.partition_key
    try:
        yield _begin(context, opened, video_id)
    except EarshotError as error:
        record_failure(opened, video_id, error)
        raise Failure(str(error), metadata={"error": type(error).__name__}, allow_retries=False) from error


def _begin(context: AssetExecutionContext, database: Database, video_id: str) -> Stage:
    video = find(database, video_id)
    if video is None:
        raise Misconfigured(
            f"Partition {video_id!r} is not in the catalogue (table videos).",
            "Partitions are added by `earshot ingest`, not by hand.",
        )
    begun = Stage(context, database, video, Measurement())
    begun.report(0.0)
    return begun


def _keep(stage: Stage, figures: Timing) -> None:
    row = {
        "video_id": stage.video.video_id,
        "asset": stage.asset,
        "run_id": stage.context.run.run_id,
        "code_version": stage.context.assets_def.code_versions_by_key[stage.context.asset_key] or "",
        "git_commit": git_commit(),
        **asdict(figures),
    }
    columns = ", ".join(row)
    values = ", ".join(f"%({key})s" for key in row)
    stage.database.query(f"INSERT INTO asset_timings ({columns}) VALUES ({values})", row)  # noqa: S608
