"""Measurement: where the seconds of one stage went, and what it ran on.

`Measurement` is a set of stopwatches that an asset starts around what it does: `loading()` models, `computing()` inside
model calls (the device synchronised before the clock is read, so that queued kernels are counted where they belong) and
`reading_writing()` for files, network and database. `Execution` is what really ran, read from the loaded model.

It derives nothing: real-time factor and the like are defined once, in ingest_assets/timings.py.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Execution:
    """What really ran: `device` is `cpu` or `cuda`, `device_name` its model, `batch_size` the inputs per call."""

    device: str
    device_name: str
    model: str
    model_revision: str
    compute_type: str
    batch_size: int


class Measurement:
    """Stopwatches of one stage of one video, in seconds. `cpu_s` counts every thread of the process."""

    def __init__(self) -> None:
        self.load_s = 0.0
        self.compute_s = 0.0
        self.io_s = 0.0
        self._started = time.perf_counter()
        self._cpu_started = time.process_time()

    @property
    def wall_s(self) -> float:
        return time.perf_counter() - self._started

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._cpu_started

    @contextmanager
    def loading(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.load_s += time.perf_counter() - started

    @contextmanager
    def computing(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        synchronise()
        self.compute_s += time.perf_counter() - started

    @contextmanager
    def reading_writing(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.io_s += time.perf_counter() - started


def synchronise() -> None:
    """Wait for the CUDA device to finish what torch queued; nothing where torch or a device is not in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
