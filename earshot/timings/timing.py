"""Timings: what one stage of one video cost, with the same keys everywhere.

`Timing` is a row of table `asset_timings` and, key by key, the metadata of a materialization: floats for figures, text for
models and devices. Real-time factor and x real time are defined only here, so that they cannot contradict each other:

- `rtf` = compute_s / audio_s, the share of the audio's length spent inside model calls; smaller is faster.
- `x_realtime` = audio_s / (wall_s - load_s), hours of audio processed per hour of wall clock once models are loaded, including
  reading, writing and waiting. "Hours of audio per hour" is the same number.
- `hours_by_the_clock` = audio_s / clock_s, over a period instead of a stage's work: it includes idle time and loading, and
  counts parallel work once. It is always labelled "by the clock".

This module compares and judges nothing.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, Self

from earshot.config.settings import PROJECT_ROOT
from earshot.models.device import library_versions
from earshot.models.measurement import ExecutionInfo, IoPlace, Measurement


@dataclass(frozen=True)
class Timing:
    """One stage of one video. In seconds unless the name says otherwise; None if not measured.

    `items` counts the stage's results (segments, turns, vectors, passages), `inputs` what it processed to get them (seconds of
    audio decoded, windows, pieces, texts); `batch_mean` is the mean number of inputs per model call, `batch_size` the maximum.
    `store_s`, `database_s` and `network_s` are the parts of `io_s`.
    """

    audio_s: float
    wall_s: float
    compute_s: float
    load_s: float
    io_s: float
    rtf: float
    x_realtime: float
    items: float
    items_per_s: float
    device_asked: str
    device: str
    device_name: str
    model: str
    model_revision: str
    compute_type: str
    model_loads: float
    inputs: float
    batch_size: float
    batch_mean: float
    memory_retries: float
    gpu_util_mean: float | None
    gpu_util_p95: float | None
    vram_peak_mb: float | None
    gpu_power_w: float | None
    gpu_clock_mhz: float | None
    cpu_s: float
    cache_hits: float
    cache_misses: float
    driver: str
    libraries: str
    cpu_wait_s: float | None = None
    cpu_busy: float | None = None
    cpu_others: float | None = None
    cpu_steal: float | None = None
    load_average: float | None = None
    store_s: float | None = None
    database_s: float | None = None
    network_s: float | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """The timing in a row of `asset_timings`, without its other columns."""
        return cls(**{key: row[key] for key in KEYS})


KEYS = tuple(field.name for field in fields(Timing))
TEXT_KEYS = frozenset(field.name for field in fields(Timing) if field.type is str)
COUNT_KEYS = frozenset({"items", "batch_size", "model_loads", "memory_retries", "cache_hits", "cache_misses"})


def real_time_factor(compute_s: float, audio_s: float) -> float:
    """Seconds of computing per second of audio; 0 without audio."""
    return compute_s / audio_s if audio_s else 0.0


def times_real_time(audio_s: float, wall_s: float, load_s: float) -> float:
    """Seconds of audio per second of wall clock without loading models; 0 if no time passed."""
    working_s = wall_s - load_s
    return audio_s / working_s if working_s > 0 else 0.0


def hours_by_the_clock(audio_s: float, clock_s: float) -> float:
    """Hours of audio per hour of the clock, including idle time and loading; 0 if no time passed.

    x real time is the speed while working; this is the throughput over a period (`clock_s`). It is lower, unless stages ran
    in parallel.
    """
    return audio_s / clock_s if clock_s > 0 else 0.0


def speed_in_words(now: Timing, expected_s: float | None) -> str:
    """The speed in words: "7.9x real time; usual here 8.2x". `expected_s`: what such work usually takes, None if unknown."""
    if not now.inputs:
        compared = "not compared: its results were cached, or it took a shortcut"
    elif expected_s is None:
        compared = "too few videos yet to say what is usual here"
    else:
        compared = f"usual here {_times(now.audio_s / expected_s)}"
    return f"{_times(now.x_realtime)} real time; {compared}"


def _times(speed: float) -> str:
    return f"{speed:.1f}x" if speed < 100 else f"{speed:.0f}x"


def timing(
    measurement: Measurement,
    execution: ExecutionInfo,
    audio_s: float,
    items: int,
    cache_hits: int = 0,
    cache_misses: int = 0,
) -> Timing:
    """The timing of a finished stage; reads the measurement's clocks now."""
    from earshot.models.nvml import driver_version

    wall_s, compute_s, tally = measurement.wall_s, measurement.compute_s, measurement.tally
    gpu, load = measurement.gpu_use(), measurement.load
    return Timing(
        audio_s=audio_s,
        wall_s=wall_s,
        compute_s=compute_s,
        load_s=measurement.load_s,
        io_s=measurement.io_s,
        rtf=real_time_factor(compute_s, audio_s),
        x_realtime=times_real_time(audio_s, wall_s, measurement.load_s),
        items=float(items),
        items_per_s=items / compute_s if compute_s else 0.0,
        device_asked=execution.device_asked,
        device=execution.device,
        device_name=execution.device_name,
        model=execution.model,
        model_revision=execution.model_revision,
        compute_type=execution.compute_type,
        model_loads=float(measurement.model_loads),
        inputs=tally.inputs,
        batch_size=float(tally.batch_size or execution.batch_size),
        batch_mean=tally.batch_mean,
        memory_retries=float(tally.memory_retries),
        gpu_util_mean=gpu.util_mean,
        gpu_util_p95=gpu.util_p95,
        vram_peak_mb=gpu.memory_peak_mb,
        gpu_power_w=gpu.power_mean_w,
        gpu_clock_mhz=gpu.clock_mean_mhz,
        cpu_s=measurement.cpu_s,
        cache_hits=float(cache_hits),
        cache_misses=float(cache_misses),
        driver=driver_version() if execution.device == "cuda" else "",
        libraries=library_versions(),
        **asdict(load),
        store_s=measurement.io_by_place[IoPlace.STORE],
        database_s=measurement.io_by_place[IoPlace.DATABASE],
        network_s=measurement.io_by_place[IoPlace.NETWORK],
    )


@cache
def git_commit() -> str | None:
    """The commit of this checkout; None outside a clone."""
    return commit_named("HEAD")


def commit_named(name: str) -> str | None:
    """The clone's commit with this name in git (HEAD~1, a branch, the beginning of a hash); None if there is none."""
    if not (PROJECT_ROOT / ".git").exists():  # else git would answer for a repository around an installed wheel
        return None
    command = ["git", "-C", str(PROJECT_ROOT), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
