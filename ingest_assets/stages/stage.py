"""Runs a stage: one asset on one video. What the stage computes is in the asset's own module.

The five assets share `stage(context, database)`. It finds the video of the partition key, measures, records any error of
Earshot in the catalogue, and then fails the step without retries. If a stage above has no output, the catalogue stays as it is,
because it already has the reason. If a restart of the database broke a statement of the stage, the stage is retried; if it
broke one of Dagster's, `retry_after_outage` lets Dagster retry the run.

An asset that `is_current` calls `reuse()` and does nothing else. Otherwise it ends with `finish()`, which compares the timing
with earlier ones, stores it with the failed checks and the output (ingest_assets/stages/outputs.py), and returns the same
figures as metadata and check results.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
import psycopg
from dagster import (
    AssetExecutionContext,
    AssetObservation,
    Failure,
    HookContext,
    MaterializeResult,
    MetadataValue,
    RetryRequested,
    failure_hook,
)

from earshot.common.errors import Blocked, EarshotError, Misconfigured, StageMissing
from earshot.common.lack_of_memory import explaining_lack_of_memory
from earshot.config.hints import Hints
from earshot.models.device import Device
from earshot.models.measurement import ExecutionInfo, IoPlace, Measurement
from earshot.models.registry import Floor
from earshot.storage.catalog.previous_rows import KEEP_TAG, keep_previous
from earshot.storage.catalog.source_states import pause
from earshot.storage.catalog.stages import UPSTREAM
from earshot.storage.catalog.video_hints import KEYS_OF_STAGES, hints_for, stage_hints
from earshot.storage.catalog.videos import Video, get_video, mark_ready_if_complete, record_failure
from earshot.storage.database import Database
from earshot.storage.full_disk import explaining_full_disk
from earshot.storage.outages import is_outage, refuse_gone
from earshot.timings.history import read_history
from earshot.timings.judgement import CheckOutcome, evaluate, replay
from earshot.timings.timing import Timing, speed_in_words, timing
from ingest_assets.presentation.checks import check_result, checks_of
from ingest_assets.presentation.metadata import ROWS, metadata, video_metadata
from ingest_assets.stages import progress
from ingest_assets.stages.freshness import Output, Version, reason_to_run
from ingest_assets.stages.model_loading import Loaded, load_model
from ingest_assets.stages.outputs import FinishedRun, StageResult, invalidate_output, read_outputs, record_result
from ingest_assets.stages.versions import stage_version
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.instance.dagster_internals import RETRY_ON_ASSET_OR_OP_FAILURE_TAG

# With this run tag no stage reuses its output ("true"), or none of those listed ("transcript,speaker_turns"). `earshot ingest
# --force` and `earshot backfill` set it; users can in the UI's launchpad.
FORCE_TAG = "earshot/force"

MAX_OUTAGE_RETRIES = 2  # of a stage whose statement was lost with the database server


@dataclass(frozen=True)
class StageRun:
    """One run of an asset on one video."""

    context: AssetExecutionContext
    database: Database
    video: Video
    measurement: Measurement

    @property
    def asset(self) -> str:
        return self.context.asset_key.to_user_string()

    @cached_property
    def version(self) -> Version:
        """The version of today's code and models."""
        return stage_version(self.asset)

    @property
    def upstream(self) -> frozenset[str]:
        """The stages whose rows this one reads."""
        return UPSTREAM[self.asset]

    @property
    def is_current(self) -> bool:
        """Whether this run would make the same output, and does not force the stage."""
        forced = self.context.run.tags.get(FORCE_TAG, "")
        if forced == "true" or self.asset in forced.split(","):
            return False
        return not reason_to_run(self.version, self.upstream, self.outputs.get(self.asset), self.outputs)

    @cached_property
    def outputs(self) -> Mapping[str, Output]:
        """The outputs of this video's stages when this run of the stage began."""
        return read_outputs(self.database, [self.video.video_id])[self.video.video_id]

    @cached_property
    def hints(self) -> Hints:
        """The user's hints for this video when this run of the stage asked for them."""
        with self.measurement.reading_writing(IoPlace.DATABASE):
            return hints_for(self.database, self.video.video_id, self.video.source)

    @property
    def report(self) -> Callable[[float], None]:
        """A function that reports the share (0 to 1) of this stage that is done.

        It raises DatabaseUnusable if the database is gone, because the result could not be stored.
        """

        def report(share: float) -> None:
            refuse_gone(self.database.url)
            progress.report(self.asset, share)

        return report

    def rows(self, table: str, order: str) -> pd.DataFrame:
        """This video's rows of a table."""
        with self.measurement.reading_writing(IoPlace.DATABASE):
            return self.database.frame(table, self.video.video_id, order)

    def replace(self, frames: dict[str, pd.DataFrame], only: Mapping[str, str] | None = None) -> None:
        """Replace this video's rows of these tables in one transaction; with `only`, just those with these values."""
        with self.measurement.reading_writing(IoPlace.DATABASE), self.database.connect() as connection:
            had_output = invalidate_output(connection, self.video.video_id, self.asset)
            # A retry after the rows were replaced must not keep the new rows as the previous ones.
            if had_output and self.context.run.tags.get(KEEP_TAG) == "true":
                keep_previous(connection, self.video.video_id, frames)
            self.database.replace_within(connection, self.video.video_id, frames, only)

    def load(self, gpu: GpuResource, load: Callable[[Device], Loaded]) -> Loaded:
        """Load the stage's model on the configured device with `load`, and start sampling the utilisation of a GPU."""
        return load_model(self.asset, self.measurement, gpu, load)

    def finish(
        self,
        execution: ExecutionInfo,
        audio_s: float,
        items: int,
        cache_hits: int = 0,
        cache_misses: int = 0,
        floors: Sequence[Floor] = (),
        content: str = "",
        rows: int | None = None,
        findings: Sequence[CheckOutcome] = (),
        word_corrections: Sequence[int] = (),
        hints: str = "",
        **more: str | int,
    ) -> MaterializeResult:
        """Judge and store the timing, and return the result for Dagster. The last call of an asset.

        `content` is a digest of what the stages below and users read of this stage's rows; `rows` counts those of its main
        table (`items` if omitted); `findings` are the content checks; `word_corrections` the numbers of those that the stage
        applied; `hints` those of the user that were obeyed, in words; `more` is further metadata.
        """
        figures = timing(self.measurement, execution, audio_s, items, cache_hits, cache_misses)
        examined = evaluate(self.asset, figures, read_history(self.database, self.asset, figures), floors)
        obeyed = {"hints": hints} if hints else {}
        details = {
            **obeyed,
            **more,
            ROWS: items if rows is None else rows,
            "speed": speed_in_words(figures, examined.expected_s),
        }
        examined = replace(examined, findings=(*examined.findings, *findings))
        result = StageResult(
            timed=FinishedRun(
                self.video.video_id, self.asset, self.context.run.run_id, self.version.code_version, figures, examined
            ),
            version=self.version,
            upstream=self.upstream,
            content=content,
            details=details,
            word_corrections=word_corrections,
            hints=stage_hints(self.hints, self.asset) if self.asset in KEYS_OF_STAGES else {},
        )
        record_result(self.database, result)
        return self._result(figures, {"reused": "no", **details}, examined.findings)

    def reuse(self) -> MaterializeResult:
        """Mark the output as current; returns the result for Dagster as when it was made, failed checks included."""
        [made] = self.database.query(
            "UPDATE stage_outputs o SET current_at = now() FROM asset_timings t "
            "WHERE t.timing_id = o.timing_id AND (o.video_id, o.asset) = (%s, %s) RETURNING t.*, details",
            [self.video.video_id, self.asset],
        )
        failed = self.database.query(
            "SELECT * FROM check_failures WHERE run_id = %(run_id)s AND video_id = %(video_id)s AND asset = %(asset)s", made
        )
        reused = f"yes: made by run {made['run_id']} on {made['recorded_at']:%Y-%m-%d}, from today's inputs"
        findings = [replay(check, failed) for check in checks_of(self.asset)]
        return self._result(Timing.of_row(made), {**made["details"], "reused": reused}, findings)

    def _result(self, figures: Timing, details: Mapping[str, str | int], findings: Sequence[CheckOutcome]) -> MaterializeResult:
        mark_ready_if_complete(self.database, self.video.video_id)
        self.report(1.0)
        return MaterializeResult(
            metadata=video_metadata(self.video) | metadata(figures, details),
            check_results=[check_result(finding, self.video.video_id) for finding in findings],
        )


@contextmanager
def stage(context: AssetExecutionContext, database: DatabaseResource) -> Iterator[StageRun]:
    """Run the context's asset on the context's partition."""
    opened = database.open()
    video_id = context.partition_key
    measurement = Measurement()
    try:
        with explaining_full_disk(), explaining_lack_of_memory():
            yield _open(context, opened, video_id, measurement)
    except EarshotError as error:
        if not isinstance(error, StageMissing):
            _record(opened, video_id, error)
        context.log_event(_failed(context, error))
        raise Failure(str(error), metadata={"error": type(error).__name__}, allow_retries=False) from error
    except psycopg.OperationalError as error:
        raise RetryRequested(max_retries=MAX_OUTAGE_RETRIES) from error
    finally:
        measurement.close()


def _failed(context: AssetExecutionContext, error: EarshotError) -> AssetObservation:
    """The reason of a failure, for the page of the partition: Dagster shows that of a run there, not of the step."""
    return AssetObservation(
        context.asset_key,
        partition=context.partition_key,
        description=f"Failed: {error}",
        metadata={"failed": MetadataValue.text(str(error)), "error": MetadataValue.text(type(error).__name__)},
    )


@failure_hook
def retry_after_outage(context: HookContext) -> None:
    """Let Dagster retry the run if its statement was lost; it does not retry other failed steps (dagster.yaml)."""
    if context.op_exception is not None and is_outage(context.op_exception):
        context.instance.add_run_tags(context.run_id, {RETRY_ON_ASSET_OR_OP_FAILURE_TAG: "true"})


def _record(database: Database, video_id: str, error: EarshotError) -> None:
    """Record the failure; if a site blocks us, pause its source."""
    until = None
    if isinstance(error, Blocked) and (video := get_video(database, video_id)):
        until = pause(database, video.source, str(error), error.pause_s)
    record_failure(database, video_id, error, until)


def _open(context: AssetExecutionContext, database: Database, video_id: str, measurement: Measurement) -> StageRun:
    with measurement.reading_writing(IoPlace.DATABASE):
        video = get_video(database, video_id)
    if video is None:
        raise Misconfigured(
            f"Partition {video_id!r} is not in the catalogue (table videos).",
            "Do not add partitions by hand: `earshot ingest` adds them.",
        )
    run = StageRun(context, database, video, measurement)
    with measurement.reading_writing(IoPlace.DATABASE):
        missing = sorted(run.upstream - run.outputs.keys())
    if missing:
        raise _missing_inputs(video, run.asset, missing)
    run.report(0.0)
    return run


def _missing_inputs(video: Video, asset: str, missing: Sequence[str]) -> StageMissing:
    """The error for missing inputs of this stage, with the catalogue's reason for it."""
    lacks = f"{video.video_id} has no {' and no '.join(missing)} to make {asset} from"
    if video.last_error:
        return StageMissing(f"{lacks}: {video.last_error}", f"To retry it: earshot retry {video.video_id}")
    remedy = f"Materialize {' and '.join(missing)} first, or ingest the whole video: earshot ingest {video.url!r}"
    return StageMissing(f"{lacks}.", remedy)
