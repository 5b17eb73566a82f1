"""/metrics: the library's metrics for Prometheus, as OpenMetrics or in the older text format, whichever the client accepts.

The values come from `Library.metrics()`; docs/guides/operation/metrics.md explains each.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response

from earshot.library.upkeep.at_work import AtWork
from earshot.library.upkeep.metrics import CheckMetrics, GpuState, LibraryMetrics
from earshot.library.upkeep.stage_metrics import Histogram, StageMetrics
from earshot.page.http.dependencies import LibraryOf

MEBIBYTE = 1024 * 1024

router = APIRouter()


@router.get("/metrics", response_class=Response)
def metrics(library: LibraryOf, accept: Annotated[str, Header()] = "") -> Response:
    """The metrics of the library, of its workers, and of this machine's GPUs."""
    encode, content_type = choose_encoder(accept)
    return Response(encode(_Collected(library.metrics())), media_type=content_type, headers={"Cache-Control": "no-store"})


class _Collected(Collector):
    """The metrics in the form that the encoders take."""

    def __init__(self, read: LibraryMetrics) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        read = self._read
        yield InfoMetricFamily("earshot_build", "The version of Earshot.", {"version": read.version})
        yield from _stages(read.stages)
        yield _counted("earshot_videos", "Videos by state.", "state", read.videos)
        yield from _at_work(read.at_work, read.workers)
        if read.sources is not None:
            yield _counted("earshot_sources", "Sources of sources.yaml by state.", "state", read.sources)
        yield from _moment("earshot_last_poll", "When a source was last polled.", read.last_poll)
        yield from _moment("earshot_last_ingest", "When a video last became searchable.", read.last_ingest)
        yield from _moment("earshot_last_backup", "When the library was last backed up.", read.last_backup)
        yield from _checks(read.checks)
        if read.gpus:
            yield from _gpus(read.gpus)


def _stages(stages: tuple[StageMetrics, ...]) -> Iterator[Metric]:
    labels = ("stage", "device")
    seconds = HistogramMetricFamily("earshot_stage_duration_seconds", "Seconds that a stage of a video took.", labels=labels)
    factors = HistogramMetricFamily(
        "earshot_stage_real_time_factor", "Compute seconds of a stage per second of audio.", labels=labels
    )
    audio = CounterMetricFamily("earshot_stage_audio_seconds", "Seconds of audio that stages worked on.", labels=labels)
    for stage in stages:
        key = (stage.stage, stage.device)
        seconds.add_metric(key, _buckets(stage.seconds), stage.seconds.total)
        factors.add_metric(key, _buckets(stage.factors), stage.factors.total)
        audio.add_metric(key, stage.audio_s)
    yield from (seconds, factors, audio)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = map(floatToGoString, histogram.bounds)
    return [*zip(bounds, histogram.at_most, strict=True), ("+Inf", histogram.count)]


def _at_work(at_work: AtWork, workers: int) -> Iterator[Metric]:
    counted = Counter(video.run for video in at_work.running)
    runs = {activity: counted[activity] for activity in ("running", "waiting")}
    yield _counted("earshot_runs", "Runs that processes work on: running, or waiting for a slot.", "activity", runs)
    yield GaugeMetricFamily("earshot_queued_runs", "Runs in the queue.", at_work.queued)
    yield GaugeMetricFamily("earshot_requested_videos", "Videos that wait to be queued.", at_work.requested)
    yield GaugeMetricFamily("earshot_daemon_running", "1 while `earshot up` starts what is queued.", float(at_work.up))
    yield GaugeMetricFamily("earshot_workers", "Workers that are alive, on all machines.", workers)


def _checks(checks: tuple[CheckMetrics, ...]) -> Iterator[Metric]:
    labels = ("stage", "check", "severity")
    ever = CounterMetricFamily("earshot_check_failures", "Failed checks of stages.", labels=labels)
    recent = GaugeMetricFamily("earshot_recent_check_failures", "Open failures of the last seven days.", labels=labels)
    for each in checks:
        key = (each.stage, each.check, each.severity)
        ever.add_metric(key, each.failures)
        recent.add_metric(key, each.recent)
    yield from (ever, recent)


def _gpus(gpus: tuple[GpuState, ...]) -> Iterator[Metric]:
    """The figures that the cards report."""
    figures = (
        ("earshot_gpu_utilization_ratio", "Share of the time in which the GPU was busy.", "util", 0.01),
        ("earshot_gpu_memory_used_bytes", "Memory in use on the GPU.", "memory_mb", MEBIBYTE),
        ("earshot_gpu_memory_bytes", "Memory of the GPU.", "memory_total_mb", MEBIBYTE),
        ("earshot_gpu_power_watts", "Power that the GPU draws.", "power_w", 1.0),
    )
    for name, meaning, key, unit in figures:
        family = GaugeMetricFamily(name, meaning, labels=("gpu", "name"))
        for gpu in gpus:
            if (value := getattr(gpu, key)) is not None:
                family.add_metric((gpu.uuid, gpu.name), value * unit)
        yield family


def _counted(name: str, meaning: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def _moment(name: str, meaning: str, at: datetime | None) -> Iterator[Metric]:
    if at is not None:
        yield GaugeMetricFamily(f"{name}_timestamp_seconds", meaning, at.timestamp())
