"""A usual timing of a stage, with figures changed."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from dagster import FloatMetadataValue, IntMetadataValue, TextMetadataValue

from earshot.storage.database import Database
from earshot.timings.timing import COUNT_KEYS, KEYS, TEXT_KEYS, Timing

USUAL = Timing(
    audio_s=600.0, wall_s=10.5, compute_s=10.0, load_s=0.0, io_s=0.2, rtf=10.0 / 600.0, x_realtime=600.0 / 10.5, items=300.0,
    items_per_s=30.0, device_asked="cuda", device="cuda", device_name="NVIDIA GeForce RTX 5080", model="all-MiniLM-L6-v2",
    model_revision="53aa", compute_type="float32", model_loads=1.0, inputs=300.0, batch_size=64.0, batch_mean=60.0,
    memory_retries=0.0, gpu_util_mean=80.0, gpu_util_p95=95.0, vram_peak_mb=2000.0, gpu_power_w=200.0, gpu_clock_mhz=2500.0,
    cpu_s=11.0, cache_hits=0.0, cache_misses=0.0, driver="580.1", libraries="torch 2.10.0",
)  # fmt: skip

# The types of the figures in the metadata of a materialization.
TYPES = {
    **dict.fromkeys(KEYS, FloatMetadataValue),
    **dict.fromkeys(TEXT_KEYS, TextMetadataValue),
    **dict.fromkeys(COUNT_KEYS, IntMetadataValue),
}


def usual(**changed: Any) -> Timing:
    """The usual timing with these figures changed."""
    return replace(USUAL, **changed)


def about(expected: Any) -> Any:
    """Equal to what the metadata show of a timing's value, whose figures they round."""
    return pytest.approx(expected, rel=1e-3, abs=6e-4) if isinstance(expected, float) else expected


def keep(database: Database, asset: str, timing: Timing, video_id: str = "file-1", **columns: Any) -> None:
    """Put a row into asset_timings, as a stage does."""
    row = {"video_id": video_id, "asset": asset, "run_id": "run-1", "code_version": "1", **asdict(timing), **columns}
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    database.query(f"INSERT INTO asset_timings ({names}) VALUES ({places})", row)  # noqa: S608
