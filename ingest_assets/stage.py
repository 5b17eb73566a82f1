"""A stage: one asset at work on one video, whichever asset it is.

`stage(context, database)` is what the five assets share. It finds the video of the partition key, measures,
and on an error that Earshot can explain writes it into the catalogue and fails the step without retries. At the
end the asset calls `finish()`, which holds the timing against earlier ones, writes the row of `asset_timings` and what checks
failed, and returns the same figures as metadata and check results.

What an asset does to a video is in the asset's own module.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import pandas as pd
from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue
from psycopg import sql

from ingest_assets import progress
from ingest_assets.checks import Examination, check_result, examine
from ingest_assets.history import read_history
from ingest_assets.timings import Timing, git_commit, metadata, timing
from resources import loaded_models
from resources.catalogue import Video, find, mark_ready_if_complete, record_failure
from resources.database import Database, DatabaseResource
from resources.errors import Blocked, EarshotError, Misconfigured
from resources.gpu import Device, GpuResource
from resources.measurement import Execution, Measurement
from resources.models import Floor
from resources.source_states import pause

Loaded = TypeVar("Loaded")

# How often this process has loaded each asset's model.
_loads: Counter[str] = Counter()

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

    def replace(self, frames: dict[str, pd.DataFrame], only: Mapping[str, str] | None = None) -> None:
        """Replace this video's rows of these tables, or those that have these values; all or nothing."""
        with self.measurement.reading_writing():
            self.database.replace(self.video.video_id, frames, only)

    def load(self, gpu: GpuResource, load: Callable[[Device], Loaded]) -> Loaded:
        """The stage's model on the device that was asked for, loaded by `load`; from here on a GPU's use is sampled."""
        before = loaded_models.loads()
        with self.measurement.loading():
            device = gpu.require()
            model = load(device)
        if loaded_models.loads() > before:
            _loads[self.asset] += 1
        else:
            self.measurement.load_s = 0.0  # warm
        self.measurement.model_loads = _loads[self.asset]
        if device.uuid:
            self.measurement.sample(device.uuid)
        return model

    def finish(
        self,
        execution: Execution,
        audio_s: float,
        items: int,
        cache_hits: int = 0,
        cache_misses: int = 0,
        floors: Sequence[Floor] = (),
        **more: str,
    ) -> MaterializeResult:
        """Judge and keep the timing and tell Dagster; `more` is further metadata, as text. The last thing an asset does."""
        figures = timing(self.measurement, execution, audio_s, items, cache_hits, cache_misses)
        examined = examine(self.asset, figures, read_history(self.database, self.asset, figures), floors)
        _keep(self, figures, examined)
        mark_ready_if_complete(self.database, self.video.video_id)
        self.report(1.0)
        return MaterializeResult(
            metadata=metadata(figures) | {key: MetadataValue.text(value) for key, value in more.items()},
            check_results=[check_result(finding) for finding in examined.findings],
        )


@contextmanager
def stage(context: AssetExecutionContext, database: DatabaseResource) -> Iterator[Stage]:
    """The stage of this context's asset and partition."""
    opened = database.open()
    video_id = context.partition_key
    measurement = Measurement()
    try:
        yield _begin(context, opened, video_id, measurement)
    except EarshotError as error:
        _record(opened, video_id, error)
        raise Failure(str(error), metadata={"error": type(error).__name__}, allow_retries=False) from error
    finally:
        measurement.close()


def _record(database: Database, video_id: str, error: EarshotError) -> None:
    """Write the failure down; a site that refuses us has its whole source left alone."""
    until = None
    if isinstance(error, Blocked) and (video := find(database, video_id)):
        until = pause(database, video.source, str(error), error.pause_s)
    record_failure(database, video_id, error, until)


def _begin(context: AssetExecutionContext, database: Database, video_id: str, measurement: Measurement) -> Stage:
    video = find(database, video_id)
    if video is None:
        raise Misconfigured(
            f"Partition {video_id!r} is not in the catalogue (table videos).",
            "Partitions are added by `earshot ingest`, not by hand.",
        )
    begun = Stage(context, database, video, measurement)
    begun.report(0.0)
    return begun


def _keep(stage: Stage, figures: Timing, examined: Examination) -> None:
    """The row of the timing, and one for each check that failed; all or nothing."""
    about = {"video_id": stage.video.video_id, "asset": stage.asset, "run_id": stage.context.run.run_id}
    kept = {
        **about,
        "code_version": stage.context.assets_def.code_versions_by_key[stage.context.asset_key] or "",
        "git_commit": git_commit(),
        "speed": examined.speed.value,
        **asdict(figures),
    }
    with stage.database.connect() as connection:
        connection.execute(*_insertion("asset_timings", kept))
        for finding in examined.findings:
            if finding.level.flagged:
                failed = {
                    "check_name": finding.check,
                    "severity": finding.level.value,
                    "cause": finding.cause,
                    "message": finding.message,
                }
                connection.execute(*_insertion("check_failures", {**about, **failed}))


def _insertion(table: str, row: dict[str, Any]) -> tuple[sql.Composed, dict[str, Any]]:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    return statement, row
