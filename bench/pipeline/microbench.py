"""Microbenchmarks: everything that a stage does only to be measured, repeated on its own; the result is the median.

With the stage's real figures: the stopwatches; building the timing, which reads the model's device; reading a history of `ROWS`
earlier timings; judging by it; storing the row; the metadata and check results for Dagster; counting a model call, or the hook
that counts the text encoder's. On a GPU also the sampler, with the real NVML. The cost of Dagster's check events is derived
from the times of the run's own events.

Afterwards the database contains invented timings, so it must be the benchmark's own.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterEventType, DagsterInstance
from psycopg import sql

from bench.pipeline.overhead import Cost, Sampling
from earshot.models.cache import Models
from earshot.models.device import Device
from earshot.models.measurement import CallCounter, ExecutionInfo, IoPlace, Measurement, clock
from earshot.models.nvml import GpuSampler
from earshot.models.registry import Floor
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.database import Database
from earshot.timings.history import read_history
from earshot.timings.judgement import evaluate
from earshot.timings.timing import KEYS, Timing, timing
from ingest_assets.presentation.checks import check_result
from ingest_assets.presentation.metadata import metadata
from ingest_assets.stages.freshness import Version
from ingest_assets.stages.outputs import FinishedRun, StageResult, record_result

if TYPE_CHECKING:  # it imports torch
    from sentence_transformers import SentenceTransformer

ROWS = 600  # earlier timings of each stage, as of a channel with that many videos
ONCE, PER_CALL = 15, 20_000  # repetitions of the work done once per stage, and per model call
SAMPLED_S = 5.0

RunEvent = tuple[float, DagsterEventType, str]  # time, type, stage


def measure_costs(
    rows: Sequence[Mapping[str, Any]], device: Device, database: Database, instance: DagsterInstance
) -> list[Cost]:
    """What measuring each stage of these rows of `asset_timings` costs on this machine."""
    examples = {row["asset"]: row for row in rows}
    events_s = check_events_s([run_events(instance, run_id) for run_id in dict.fromkeys(row["run_id"] for row in rows)])
    sampling = measure_sampling(device.uuid) if device.uuid else None
    return [
        Cost(
            asset,
            *measure_parts(examples[asset], *_model_of(asset, examples[asset], device), database),
            measure_hook() if asset == "text_embeddings" else _call_s(),
            events_s[asset],
            sampling if examples[asset]["device"] == "cuda" else None,
        )
        for asset in STAGES
    ]


def _model_of(asset: str, row: Mapping[str, Any], device: Device) -> tuple[Callable[[], ExecutionInfo], Sequence[Floor]]:
    """A function that reads the execution info of the stage's loaded model, and the model's floors. `audio` has no model."""
    models, chosen = Models(), Models().model_set()
    model = chosen.of_stage(asset)
    if model is None:
        return lambda: execution_of_row(row), ()
    load = {
        "transcript": models.transcriber,
        "speaker_turns": models.diarizer,
        "voice_embeddings": models.voice_encoder,
        "text_embeddings": models.text_encoder,
    }[asset]
    loaded = load(device)
    return lambda: loaded.execution, model.floors


def execution_of_row(row: Mapping[str, Any]) -> ExecutionInfo:
    """The execution info that the row stores."""
    values: dict[str, Any] = {key: row[key] for key in ExecutionInfo.__dataclass_fields__}
    return ExecutionInfo(**values)


def measure_parts(
    row: Mapping[str, Any], execution: Callable[[], ExecutionInfo], floors: Sequence[Floor], database: Database
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each part of measuring done once in this row's stage, and of judging done after it."""
    asset, now = row["asset"], Timing.of_row(row)
    multiply(database, row, ROWS)
    history = read_history(database, asset, now)
    examined = evaluate(asset, now, history, floors)
    version, measurement = Version(row["code_version"], now.model, now.model_revision), Measurement()
    timed = FinishedRun(row["video_id"], asset, row["run_id"], version.code_version, now, examined)
    result = StageResult(timed, version, UPSTREAM[asset], "", {})
    measuring = {
        "stopwatches": seconds(_run_stopwatches),
        "timing": seconds(lambda: timing(measurement, execution(), now.audio_s, int(now.items))),
    }
    judging = {
        "history": seconds(lambda: read_history(database, asset, now)),
        "judging": seconds(lambda: evaluate(asset, now, history, floors)),
        "keeping": seconds(lambda: record_result(database, result)),
        "metadata": seconds(lambda: (metadata(now, {}), [check_result(finding, "video") for finding in examined.findings])),
    }
    return measuring, judging


def seconds(work: Callable[[], object], times: int = ONCE) -> float:
    """The median seconds of `times` calls, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        started = clock()
        work()
        taken.append(clock() - started)
    return median(taken)


def _run_stopwatches() -> None:
    """Use the stopwatches like a stage: one load, one computation, four reads or writes."""
    measurement = Measurement()
    with measurement.loading(), measurement.computing():
        for _ in range(4):
            with measurement.reading_writing(IoPlace.DATABASE):
                pass
    measurement.close()


def multiply(database: Database, row: Mapping[str, Any], times: int) -> None:
    """Copy this row of `asset_timings` this many times, each with the usual speed."""
    copied = sql.SQL(", ").join(map(sql.Identifier, ["video_id", "asset", "run_id", "code_version", *KEYS]))
    statement = sql.SQL(
        "INSERT INTO asset_timings ({columns}, speed) "
        "SELECT {columns}, 'ok' FROM asset_timings, generate_series(1, %s) WHERE timing_id = %s"
    ).format(columns=copied)
    with database.connect() as connection:
        connection.execute(statement, [times, row["timing_id"]])


def _call_s() -> float:
    """Seconds to count one model call."""
    tally = CallCounter()

    def count_many() -> None:
        for _ in range(PER_CALL):
            tally.count(8)

    return seconds(count_many, 3) / PER_CALL


def measure_hook() -> float:
    """Seconds that the counting hook adds to one call of the text encoder."""
    import torch

    from earshot.models.text.sentence_encoder import counting_calls

    model, texts = torch.nn.Sequential(torch.nn.Identity()), {"input_ids": [0] * 8}

    def call_many() -> None:
        for _ in range(PER_CALL):
            model[0](texts)

    bare_s = seconds(call_many, 3)
    with counting_calls(cast("SentenceTransformer", model), CallCounter()):
        return (seconds(call_many, 3) - bare_s) / PER_CALL


def measure_sampling(uuid: str) -> Sampling:
    """The cost of sampling this GPU, with the real NVML."""

    def cycle() -> None:
        sampler = GpuSampler(uuid)
        sampler.use()
        sampler.close()

    once_s = seconds(cycle)
    sampler = GpuSampler(uuid)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "gpu-sampler"]
    assert thread.ident is not None  # the thread is running
    thread_clock = time.pthread_getcpuclockid(thread.ident)
    used, started = time.clock_gettime(thread_clock), clock()
    time.sleep(SAMPLED_S)
    cpu_share = (time.clock_gettime(thread_clock) - used) / (clock() - started)
    sampler.close()
    return Sampling(once_s, cpu_share)


def run_events(instance: DagsterInstance, run_id: str) -> list[RunEvent]:
    """A run's check events in order of time."""
    kinds = {DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION}
    entries = instance.all_logs(run_id, of_type=kinds)
    events = [
        (entry.timestamp, entry.dagster_event.event_type, entry.step_key or "") for entry in entries if entry.dagster_event
    ]
    return sorted(events, key=lambda event: event[0])


def check_events_s(runs: Sequence[Sequence[RunEvent]]) -> dict[str, float]:
    """Seconds that Dagster takes to plan and store a stage's checks, the median over runs.

    The time between two such events is that of storing one, so the mean distance is multiplied by the number of checks.
    """
    by_stage: dict[str, list[float]] = {}
    for events in runs:
        planned = [when for when, kind, _ in events if kind is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED]
        for asset in dict.fromkeys(stage for _, _, stage in events):
            done = [when for when, kind, stage in events if kind is DagsterEventType.ASSET_CHECK_EVALUATION and stage == asset]
            by_stage.setdefault(asset, []).append(len(done) * (_mean_distance(done) + _mean_distance(planned)))
    return {asset: median(values) for asset, values in by_stage.items()}


def _mean_distance(times: Sequence[float]) -> float:
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
