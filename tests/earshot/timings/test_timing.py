"""Timings: the meaning of the figures, and the same speed everywhere."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pandas as pd
import pytest

from bench.drill.clock import CALL_S, CORES, INPUT_S, drill_clock
from earshot.cli.output import describe_speed
from earshot.models.measurement import ExecutionInfo, IoPlace, Measurement
from earshot.timings.report import SUMMARY_COLUMNS, summarize
from earshot.timings.timing import KEYS, real_time_factor, speed_in_words, times_real_time, timing
from ingest_assets.presentation.metadata import metadata
from tests.support.timing_rows import TYPES

EXECUTION = ExecutionInfo("cpu", "cpu", "a processor", "whisper-base", "d01c", "int8", 8)
ORDER = ("audio", "transcript", "speaker_turns")


def measured(load_s: float = 1.0, compute_s: float = 6.0, io_s: float = 0.5) -> Measurement:
    measurement = Measurement()
    measurement.load_s, measurement.compute_s, measurement.io_by_place[IoPlace.DATABASE] = load_s, compute_s, io_s
    return measurement


def row(video_id: str, asset: str, **figures: Any) -> dict[str, Any]:
    """A row of asset_timings as the database returns it."""
    usual = asdict(timing(measured(), EXECUTION, audio_s=60.0, items=1))
    return {"timing_id": 1, "video_id": video_id, "asset": asset, **usual, **figures}


def test_rtf_is_computing_per_second_of_audio() -> None:
    assert real_time_factor(compute_s=6.0, audio_s=60.0) == pytest.approx(0.1)
    assert real_time_factor(compute_s=6.0, audio_s=0.0) == 0.0


def test_x_realtime_excludes_loading() -> None:
    assert times_real_time(audio_s=3600.0, wall_s=130.0, load_s=10.0) == pytest.approx(30.0)
    assert times_real_time(audio_s=60.0, wall_s=5.0, load_s=5.0) == 0.0


@pytest.mark.parametrize(
    ("stopwatch", "key"),
    [(Measurement.loading, "load_s"), (Measurement.computing, "compute_s")]
    + [(partial(Measurement.reading_writing, place=place), "io_s") for place in IoPlace],
)
def test_each_stopwatch_counts_only_its_own_time(
    stopwatch: Callable[[Measurement], AbstractContextManager[None]], key: str
) -> None:
    measurement = Measurement()
    with stopwatch(measurement):
        sum(range(100))
    result = timing(measurement, EXECUTION, audio_s=60.0, items=1)
    assert [name for name in ("load_s", "compute_s", "io_s") if getattr(result, name) > 0.0] == [key]
    assert result.wall_s >= getattr(result, key)


@pytest.mark.parametrize("place", IoPlace)
def test_each_place_is_counted_apart(place: IoPlace) -> None:
    measurement = Measurement()
    with measurement.reading_writing(place):
        sum(range(100))
    result = timing(measurement, EXECUTION, audio_s=60.0, items=1)
    parts = {IoPlace.STORE: result.store_s, IoPlace.DATABASE: result.database_s, IoPlace.NETWORK: result.network_s}
    assert parts == {**dict.fromkeys(IoPlace, 0.0), place: result.io_s}


def test_timing_has_measurement_and_derived_figures() -> None:
    result = timing(measured(), EXECUTION, audio_s=60.0, items=12, cache_hits=3, cache_misses=9)
    assert (result.load_s, result.compute_s, result.io_s) == (1.0, 6.0, 0.5)
    assert result.rtf == real_time_factor(6.0, 60.0)
    assert result.x_realtime == times_real_time(result.audio_s, result.wall_s, result.load_s)
    assert (result.items, result.items_per_s) == (12.0, 2.0)
    assert (result.cache_hits, result.cache_misses) == (3.0, 9.0)
    assert (result.device, result.device_name, result.compute_type) == ("cpu", "a processor", "int8")
    assert (result.model, result.model_revision, result.batch_size) == ("whisper-base", "d01c", 8.0)
    assert timing(measured(compute_s=0.0), EXECUTION, audio_s=60.0, items=5).items_per_s == 0.0


def test_unmeasured_figures_are_none() -> None:
    result = timing(measured(), EXECUTION, audio_s=60.0, items=1)
    assert (result.gpu_util_mean, result.vram_peak_mb) == (None, None)


@pytest.mark.parametrize("measured_gpu", [None, 37.5])
def test_metadata_always_has_same_keys_and_types(measured_gpu: float | None) -> None:
    result = timing(measured(), EXECUTION, audio_s=60.0, items=1)
    shown = metadata(replace(result, gpu_util_mean=measured_gpu, vram_peak_mb=measured_gpu), {})
    assert set(shown) == set(KEYS)
    assert {key: type(value) for key, value in shown.items()} == TYPES
    assert shown["gpu_util_mean"].value == measured_gpu


@pytest.mark.parametrize(
    ("inputs", "expected_s", "words"),
    [
        (5.0, 7.32, "7.9x real time; usual here 8.2x"),
        (5.0, 0.5, "7.9x real time; usual here 120x"),
        (5.0, None, "7.9x real time; too few videos yet to say what is usual here"),
        (0.0, 7.32, "7.9x real time; not compared: its results were cached, or it took a shortcut"),
    ],
)
def test_speed_in_words(inputs: float, expected_s: float | None, words: str) -> None:
    now = replace(timing(measured(), EXECUTION, audio_s=60.0, items=1), inputs=inputs, x_realtime=7.9)
    assert speed_in_words(now, expected_s) == words


def test_summary_adds_up_stages_in_given_order() -> None:
    rows = [
        row("v2", "transcript", wall_s=20.0, load_s=2.0, compute_s=12.0, items=30.0),
        row("v1", "transcript", wall_s=10.0, load_s=0.0, compute_s=6.0, items=15.0),
        row("v1", "audio", wall_s=1.0, load_s=0.0, compute_s=0.5),
    ]
    summary = summarize(rows, ORDER)
    assert summary.asset.tolist() == ["audio", "transcript", "total"]
    transcript = summary.iloc[1]
    assert (transcript.videos, transcript.audio_s, transcript.wall_s, transcript.load_s) == (2, 120.0, 30.0, 2.0)
    assert transcript.rtf == pytest.approx(18.0 / 120.0)
    assert transcript.x_realtime == pytest.approx(120.0 / 28.0)
    assert transcript.items_per_s == pytest.approx(45.0 / 18.0)


def test_total_counts_audio_of_each_video_once() -> None:
    rows = [row(video, asset, wall_s=5.0, load_s=1.0, compute_s=3.0) for video in ("v1", "v2") for asset in ORDER]
    total = summarize(rows, ORDER).iloc[-1]
    assert (total.asset, total.videos, total.audio_s) == ("total", 2, 120.0)
    assert (total.wall_s, total.load_s, total.compute_s) == (30.0, 6.0, 18.0)
    assert total.rtf == pytest.approx(18.0 / 120.0)
    assert total.x_realtime == pytest.approx(120.0 / 24.0)


def test_total_has_no_items_and_no_device() -> None:
    total = summarize([row("v1", "audio"), row("v1", "transcript", device="cuda")], ORDER).iloc[-1]
    assert pd.isna(total["items"])
    assert pd.isna(total.items_per_s)
    assert total.device == ""


def test_summary_names_both_devices_of_a_stage() -> None:
    rows = [row("v1", "transcript", device="cuda"), row("v2", "transcript", device="cpu")]
    assert summarize(rows, ORDER).device.iloc[0] == "cpu, cuda"


def test_empty_summary_has_every_column() -> None:
    summary = summarize([], ORDER)
    assert summary.empty
    assert summary.columns.tolist() == ["asset", *SUMMARY_COLUMNS]


def test_speed_sentence_has_figures_of_the_total() -> None:
    summary = summarize([row("v1", "transcript", audio_s=3600.0, wall_s=1450.0, load_s=10.0, compute_s=900.0)], ORDER)
    sentence = describe_speed(summary)
    figures = re.search(r"(\S+)x real time = (\S+) hours of audio per hour; RTF (\S+) \(computing alone\)", sentence)
    assert figures is not None
    speed, hours, rtf = map(float, figures.groups())
    assert speed == hours == summary.iloc[-1].x_realtime == 2.5
    assert rtf == summary.iloc[-1].rtf == 0.25
    assert "1440.0 s of work (+ 10.0 s loading models)" in sentence


def test_speed_sentence_without_audio() -> None:
    assert describe_speed(summarize([row("v1", "audio", audio_s=0.0)], ORDER)) == "No audio was processed."


def test_drill_slows_the_clock_not_the_cpu() -> None:
    with drill_clock() as clock:
        measurement = Measurement()
        clock.slowness = 5.0
        measurement.tally.count(2.0)
        assert measurement.wall_s == 5.0 * (CALL_S + 2.0 * INPUT_S)
        assert measurement.cpu_s == CORES * (CALL_S + 2.0 * INPUT_S)
