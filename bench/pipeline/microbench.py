"""Probes: everything a stage does only to be measured, called many times on its own, its median seconds taken.

With the figures that the stage really had: the stopwatches; building the timing, which asks the model what it ran on; reading
a history out of `ROWS` earlier timings; judging by it; keeping the row; the metadata and check results for Dagster; the tally
of a model call, or the hook that counts the text encoder's. Where there is a GPU, the sampler, with the real NVML. What
Dagster's check events take is read from the times of this run's own.

Afterwards the database holds timings that never were: it must be the benchmark's own.
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
from earshot.models.measurement import CallCounter, ExecutionInfo, Measurement, clock
from earshot.models.nvml import GpuSampler
from earshot.models.registry import Floor
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.database import Database
from earshot.timings.history import read_history
from earshot.timings.judgement import evaluate
from earshot.timings.timing import KEYS, Timing, timing
from ingest_assets.stages.checks import check_result
from ingest_assets.stages.freshness import Version
from ingest_assets.stages.metadata import metadata
from ingest_assets.stages.outputs import StageResult, record_result

if TYPE_CHECKING:  # it imports torch
    from sentence_transformers import SentenceTransformer

ROWS = 600  # earlier timings of each stage: a channel of that many videos
ONCE, PER_CALL = 15, 20_000  # how often what happens once in a stage, and in each model call, is repeated here
SAMPLED_S = 5.0

RunEvent = tuple[float, DagsterEventType, str]  # when, what, and the stage


def measure_costs(
    rows: Sequence[Mapping[str, Any]], device: Device, database: Database, instance: DagsterInstance
) -> list[Cost]:
    """What measuring each stage of these rows of `asset_timings` costs here and now."""
    examples = {row["asset"]: row for row in rows}
    told = check_events_s([run_events(instance, run_id) for run_id in dict.fromkeys(row["run_id"] for row in rows)])
    sampling = measure_sampling(device.uuid) if device.uuid else None
    return [
        Cost(
            asset,
            *measure_parts(examples[asset], *_model_of(asset, examples[asset], device), database),
            measure_hook() if asset == "text_embeddings" else _call_s(),
            told[asset],
            sampling if examples[asset]["device"] == "cuda" else None,
        )
        for asset in STAGES
    ]


def _model_of(asset: str, row: Mapping[str, Any], device: Device) -> tuple[Callable[[], ExecutionInfo], Sequence[Floor]]:
    """What asks the stage's loaded model what it ran on, and the model's floors. `audio` has no model."""
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
    """What ran, as the row says."""
    told: dict[str, Any] = {key: row[key] for key in ExecutionInfo.__dataclass_fields__}
    return ExecutionInfo(**told)


def measure_parts(
    row: Mapping[str, Any], execution: Callable[[], ExecutionInfo], floors: Sequence[Floor], database: Database
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each thing that is done once in the stage of this row to measure it, and after it to judge it."""
    asset, now = row["asset"], Timing.of_row(row)
    multiply(database, row, ROWS)
    history = read_history(database, asset, now)
    examined = evaluate(asset, now, history, floors)
    version, measurement = Version(row["code_version"], now.model, now.model_revision), Measurement()
    left = StageResult(row["video_id"], asset, row["run_id"], version, UPSTREAM[asset], "", now, examined, {})
    measuring = {
        "stopwatches": seconds(_run_stopwatches),
        "timing": seconds(lambda: timing(measurement, execution(), now.audio_s, int(now.items))),
    }
    judging = {
        "history": seconds(lambda: read_history(database, asset, now)),
        "judging": seconds(lambda: evaluate(asset, now, history, floors)),
        "keeping": seconds(lambda: record_result(database, left)),
        "metadata": seconds(lambda: (metadata(now), [check_result(finding, "video") for finding in examined.findings])),
    }
    return measuring, judging


def seconds(work: Callable[[], object], times: int = ONCE) -> float:
    """The median seconds of so many calls, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        started = clock()
        work()
        taken.append(clock() - started)
    return median(taken)


def _run_stopwatches() -> None:
    """As a stage does: one load, one computation, four times reading or writing."""
    measurement = Measurement()
    with measurement.loading(), measurement.computing():
        for _ in range(4):
            with measurement.reading_writing():
                pass
    measurement.close()


def multiply(database: Database, row: Mapping[str, Any], times: int) -> None:
    """As many copies of this row of `asset_timings`, each counted as usual speed."""
    copied = sql.SQL(", ").join(map(sql.Identifier, ["video_id", "asset", "run_id", "code_version", *KEYS]))
    statement = sql.SQL(
        "INSERT INTO asset_timings ({columns}, speed) "
        "SELECT {columns}, 'ok' FROM asset_timings, generate_series(1, %s) WHERE timing_id = %s"
    ).format(columns=copied)
    with database.connect() as connection:
        connection.execute(statement, [times, row["timing_id"]])


def _call_s() -> float:
    """Seconds that counting one model call takes."""
    tally = CallCounter()

    def count_many() -> None:
        for _ in range(PER_CALL):
            tally.count(8)

    return seconds(count_many, 3) / PER_CALL


def measure_hook() -> float:
    """Seconds by which the hook that counts the text encoder's calls makes one call longer."""
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
    assert thread.ident is not None  # it has been started
    its_clock = time.pthread_getcpuclockid(thread.ident)
    used, started = time.clock_gettime(its_clock), clock()
    time.sleep(SAMPLED_S)
    cpu_share = (time.clock_gettime(its_clock) - used) / (clock() - started)
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
    """Seconds that Dagster takes to plan and keep a stage's checks, the median over runs.

    From one such event to the next lies the keeping of one, so the mean distance is taken as often as there are checks.
    """
    by_stage: dict[str, list[float]] = {}
    for events in runs:
        planned = [when for when, kind, _ in events if kind is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED]
        for asset in dict.fromkeys(stage for _, _, stage in events):
            kept = [when for when, kind, stage in events if kind is DagsterEventType.ASSET_CHECK_EVALUATION and stage == asset]
            by_stage.setdefault(asset, []).append(len(kept) * (_mean_distance(kept) + _mean_distance(planned)))
    return {asset: median(values) for asset, values in by_stage.items()}


def _mean_distance(times: Sequence[float]) -> float:
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
