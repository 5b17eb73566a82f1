"""Measurement: records where one stage spent its time, and on which device. It derives and judges nothing.

`Measurement` is a set of stopwatches that an asset starts around its work: `loading()` for models, `computing()` for model
calls (synchronised with the device, so that queued kernels count where they belong) and `reading_writing()` for the media
store, the database and the network, each of which is counted apart. `load` is that of the machine meanwhile. Its `tally` counts
the model's inputs and calls; after `sample()`, a thread samples the GPU's utilisation, memory, power and clock until `close()`.
`ExecutionInfo` describes what really ran, read from the loaded model after its work.

earshot/timings/timing.py defines the real-time factor and similar figures.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from earshot.models.machine_load import LoadCounters, MachineLoad, load_between, read_counters

if TYPE_CHECKING:
    from earshot.models.nvml import GpuSampler, GpuUse


def _cpu_s() -> float:
    """CPU seconds of this process, and of those that it started and that have ended, such as the decoder's."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


# Wall and CPU seconds of this process, and the machine's counters; the drill and tests replace these.
clock: Callable[[], float] = time.perf_counter
cpu_clock: Callable[[], float] = _cpu_s
load_counters: Callable[[], LoadCounters | None] = read_counters


class IoPlace(StrEnum):
    """Where a stage reads and writes."""

    STORE = "media store"
    DATABASE = "database"
    NETWORK = "network"


@dataclass(frozen=True)
class ExecutionInfo:
    """What was requested and what really ran.

    `device_asked` (requested) and `device` (actual) are `cpu` or `cuda`; `device_name` is the device's model; `batch_size` is
    the planned number of inputs per call.
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
    """Counts a model's inputs (windows, pieces, texts) and calls.

    `batch_size` is the one that fitted into memory after `memory_retries` halvings, None if the planned one did.
    """

    inputs: float = 0.0
    calls: float = 0.0
    batch_size: int | None = None
    memory_retries: int = 0

    def count(self, inputs: float, calls: float = 1.0) -> None:
        """Add calls and their inputs."""
        self.inputs += inputs
        self.calls += calls

    @property
    def batch_mean(self) -> float:
        """Inputs per call; 0 without calls."""
        return self.inputs / self.calls if self.calls else 0.0


class Measurement:
    """Stopwatches for one stage of one video, in seconds.

    `cpu_s` counts every thread of the process, and the processes that it waited for. `model_loads` is how often this process
    has loaded the stage's model so far; 0 for a stage without a model.
    """

    def __init__(self) -> None:
        self.load_s = 0.0
        self.compute_s = 0.0
        self.io_by_place = dict.fromkeys(IoPlace, 0.0)
        self._waited_s = 0.0
        self.model_loads = 0
        self.tally = CallCounter()
        self._sampler: GpuSampler | None = None
        self._counters = load_counters()
        self._started = clock()
        self._cpu_started = cpu_clock()

    @property
    def io_s(self) -> float:
        return sum(self.io_by_place.values())

    @property
    def wall_s(self) -> float:
        return clock() - self._started - self._waited_s

    @property
    def cpu_s(self) -> float:
        return cpu_clock() - self._cpu_started

    @property
    def load(self) -> MachineLoad:
        return load_between(self._counters, load_counters(), self.cpu_s)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Whatever a process does once: importing modules, reading a model, warming it up."""
        started = clock()
        yield
        self.load_s += clock() - started

    @contextmanager
    def computing(self) -> Iterator[None]:
        synchronise()  # earlier queued work is not this stage's
        started = clock()
        yield
        synchronise()
        self.compute_s += clock() - started

    @contextmanager
    def reading_writing(self, place: IoPlace) -> Iterator[None]:
        started = clock()
        yield
        self.io_by_place[place] += clock() - started

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Deliberate waiting, such as a pause between downloads; does not count as the stage's time."""
        started = clock()
        yield
        self._waited_s += clock() - started

    def sample(self, gpu_uuid: str) -> None:
        """Start sampling this GPU, if nothing does yet. Not called for stages on the CPU."""
        from earshot.models.nvml import GpuSampler

        if self._sampler is None:
            self._sampler = GpuSampler(gpu_uuid)

    def gpu_use(self) -> "GpuUse":
        """The samples' summary so far, all None without a GPU. Raises GpuUnavailable if the GPU was lost."""
        from earshot.models.nvml import GpuUse

        return GpuUse() if self._sampler is None else self._sampler.use()

    def close(self) -> None:
        """Stop sampling."""
        if self._sampler is not None:
            self._sampler.close()


def synchronise() -> None:
    """Wait for the CUDA device to finish what torch queued; does nothing if torch or CUDA is not in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
