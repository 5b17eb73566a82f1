"""The steps of `python -m bench.gpu` with their time limits, and the process that runs one.

A step is a function of `Findings`. The steps of a row run in parallel, since none of them times anything; a row starts after
the one before it has ended.
"""

import signal
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bench.gpu.findings import Findings


@dataclass(frozen=True)
class Step:
    """A function `name` of `module`."""

    name: str
    limit_s: float
    module: str


Row = tuple[Step, ...]

ROWS: tuple[Row, ...] = (
    (Step("machine", 60, "bench.gpu.machine"),),
    (
        Step("cublas", 90, "bench.gpu.libraries"),
        Step("compiling", 240, "bench.gpu.libraries"),
        Step("refusal", 120, "bench.gpu.device"),
        Step("tests", 200, "bench.gpu.device"),
        Step("recordings", 300, "bench.gpu.recordings"),
    ),
    (
        Step("doctor", 120, "bench.gpu.device"),
        Step("without_shim", 120, "bench.gpu.device"),
        Step("drill", 120, "bench.gpu.device"),
        Step("on_cpu", 150, "bench.gpu.episodes"),
    ),
    (Step("episodes", 120, "bench.gpu.episodes"),),
    (Step("growth", 240, "bench.gpu.throughput"),),
    (Step("texts", 90, "bench.gpu.throughput"),),
    (Step("sides", 150, "bench.gpu.throughput"),),
    (Step("several", 100, "bench.gpu.throughput"),),
    (Step("apart", 100, "bench.gpu.throughput"),),
    (Step("profile", 120, "bench.gpu.stage_calls"),),
    (Step("batches", 120, "bench.gpu.stage_calls"),),
    (Step("memory", 60, "bench.gpu.device"),),
)
STEPS = {step.name: step for row in ROWS for step in row}


def main(module: str, name: str, path: str) -> int:
    """Run one step in this process; returns 1 if it failed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it and would not clean up
    found = Findings(Path(path))
    try:
        getattr(import_module(module), name)(found)
    except Exception as error:  # noqa: BLE001 - any error of a step is its result
        traceback.print_exc()
        found.fail(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
