"""Measurement: where the seconds of one stage went, and what it ran on.

`Measurement` is a set of stopwatches that an asset starts around what it does: `loading()` models, `computing()` inside
model calls (the device synchronised before the clock is read, so that queued kernels are counted where they belong) and
`reading_writing()` for files, network and database. Its `tally` counts what went through the model, and `sample()` has the
GPU's utilisation, memory, power and clock read by a thread until `close()`. `ExecutionInfo` is what really ran, read from the
loaded model after its work.

It derives and judges nothing: real-time factor and the like are defined once, in earshot/timings/timing.py.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from earshot.models.nvml import GpuSampler, GpuUse

# Named here so that the drill and tests can put other clocks in their place: seconds, and CPU seconds of this process.
clock: Callable[[], float] = time.perf_counter
cpu_clock: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class ExecutionInfo:
    """What was asked for and what really ran.

    `device_asked` and `device` are `cpu` or `cuda`; `device_name` is the device's model; `batch_size` the inputs per call
    that were meant.
    """

    device_asked: str
    device: str
    device_name: str
    model: str
    model_revision: str
    compute_type: str
    batch_size: int


@dataclass
class CallCounter:
    """What went through a model: inputs (windows, pieces, texts) and the calls they went in.

    `batch_size` is the one that fitted into memory, None where the one that was meant did; `memory_retries` how often it was
    halved.
    """

    inputs: float = 0.0
    calls: float = 0.0
    batch_size: int | None = None
    memory_retries: int = 0

    def count(self, inputs: float, calls: float = 1.0) -> None:
        """Add calls, and the inputs that went in them."""
        self.inputs += inputs
        self.calls += calls

    @property
    def batch_mean(self) -> float:
        """Inputs per call; 0 where the model was not called."""
        return self.inputs / self.calls if self.calls else 0.0


class Measurement:
    """Stopwatches of one stage of one video, in seconds. `cpu_s` counts every thread of the process.

    `model_loads` is how often this process has loaded the stage's model so far; 0 where the stage has none.
    """

    def __init__(self) -> None:
        self.load_s = 0.0
        self.compute_s = 0.0
        self.io_s = 0.0
        self._waited_s = 0.0
        self.model_loads = 0
        self.tally = CallCounter()
        self._sampler: GpuSampler | None = None
        self._started = clock()
        self._cpu_started = cpu_clock()

    @property
    def wall_s(self) -> float:
        return clock() - self._started - self._waited_s

    @property
    def cpu_s(self) -> float:
        return cpu_clock() - self._cpu_started

    @contextmanager
    def loading(self) -> Iterator[None]:
        started = clock()
        yield
        self.load_s += clock() - started

    @contextmanager
    def computing(self) -> Iterator[None]:
        synchronise()  # what was queued before is not this stage's
        started = clock()
        yield
        synchronise()
        self.compute_s += clock() - started

    @contextmanager
    def reading_writing(self) -> Iterator[None]:
        started = clock()
        yield
        self.io_s += clock() - started

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in which the stage did nothing on purpose, such as a pause out of politeness: it is not the stage's."""
        started = clock()
        yield
        self._waited_s += clock() - started

    def sample(self, gpu_uuid: str) -> None:
        """Begin to sample this GPU; for a stage that was given the CPU nobody calls this."""
        self._sampler = GpuSampler(gpu_uuid)

    def gpu_use(self) -> GpuUse:
        """What was sampled so far; every figure None where no GPU was. Raises GpuUnavailable where the GPU was lost."""
        return GpuUse() if self._sampler is None else self._sampler.use()

    def close(self) -> None:
        """End the sampling."""
        if self._sampler is not None:
            self._sampler.close()


def synchronise() -> None:
    """Wait for the CUDA device to finish what torch queued; nothing where torch or a device is not in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
