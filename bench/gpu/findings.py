"""Findings: a step's results, as lines for people and as data, stored as it runs so that an interrupted step keeps some.

bench/gpu/runs.py records how a step ended.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def work_folder() -> Path:
    """The folder that persists between calls: recordings, findings, logs."""
    return Path(os.environ["GPU_WORK"])


class Findings:
    """One step's findings, in their own file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: list[str] = []
        self.data: dict[str, Any] = {}
        self.error: str | None = None

    def tell(self, line: str, **data: Any) -> None:
        """Store a line, and the figures behind it."""
        self.lines.append(line)
        self.data |= data
        self._write()

    def fail(self, error: Exception) -> None:
        """Store the error that ended the step."""
        self.error = f"{type(error).__name__}: {str(error)[:300]}"
        self._write()

    def _write(self) -> None:
        kept = {"lines": self.lines, "data": self.data} | ({"error": self.error} if self.error else {})
        write_json(self._path, kept)


def tell_stages(found: Findings, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store a line for each stage in these rows of `asset_timings`, summed over the videos."""
    for asset in dict.fromkeys(row["asset"] for row in rows):
        found.tell(stage_line(asset, [row for row in rows if row["asset"] == asset]))


def stage_line(asset: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """One stage: seconds without loading, times real time, its device, and its highest use of the GPU."""
    wall, load, compute, cpu, audio = (
        sum(row[key] or 0.0 for row in rows) for key in ("wall_s", "load_s", "compute_s", "cpu_s", "audio_s")
    )
    last, working_s = rows[-1], max(wall - load, 1e-9)
    return (
        f"  {asset:17}{wall - load:8.2f} s {audio / working_s:7.0f}x, load {load:.1f}, compute {compute:.2f}, CPU {cpu:.1f} s, "
        f"batch {last['batch_mean']:.0f}; {last['device']} {last['compute_type']}{_gpu_use(rows)}"
    )


def _gpu_use(rows: Sequence[Mapping[str, Any]]) -> str:
    utilisation, peak, memory_mb, power_w = (
        max((row[key] for row in rows if row[key] is not None), default=None)
        for key in ("gpu_util_mean", "gpu_util_p95", "vram_peak_mb", "gpu_power_w")
    )
    if utilisation is None:
        return ""
    return f", GPU {utilisation:.0f} % (p95 {peak:.0f}), {memory_mb:.0f} MB, {power_w or 0:.0f} W"


def write_json(path: Path, value: Any) -> None:
    """Write the file atomically, because another process reads it meanwhile."""
    partial = path.with_name(f".{path.name}")
    partial.write_text(json.dumps(value, indent=1, default=str) + "\n")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The file's content; empty if it does not exist yet."""
    return json.loads(path.read_text()) if path.exists() else {}
