"""NVML: reads a GPU's state from the NVIDIA driver, once or repeatedly in a thread while a stage runs.

A GPU is identified by its UUID, never by an index: NVML counts all devices of the machine, but torch and ctranslate2 only those
in CUDA_VISIBLE_DEVICES, so index 0 may differ. `GpuSampler` reads ten times a second, and once at each end, so that even the
shortest stage has two samples. Figures that a card does not report (some have no power sensor) are None.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pynvml

from earshot.common.errors import GpuUnavailable

INTERVAL_S = 0.1
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class GpuUse:
    """A GPU during a stage; None for figures not measured.

    Utilisation in percent of the time, memory in use on the whole device in MiB, power in watts, SM clock in MHz.
    """

    util_mean: float | None = None
    util_p95: float | None = None
    memory_peak_mb: float | None = None
    power_mean_w: float | None = None
    clock_mean_mhz: float | None = None


class GpuSampler:
    """Samples one GPU from its construction to `close()`, in a thread of its own."""

    def __init__(self, uuid: str) -> None:
        self._handle = find_gpu(uuid)
        self._samples: list[dict[str, float | None]] = []
        self._lost: pynvml.NVMLError | None = None
        self._closed = threading.Event()
        self._read()
        self._thread = threading.Thread(target=self._run, name="gpu-sampler", daemon=True)
        self._thread.start()

    def use(self) -> GpuUse:
        """The figures up to now, including one last sample. Raises GpuUnavailable if the GPU stopped answering."""
        self._read()
        if self._lost is not None:
            raise GpuUnavailable(
                f"The GPU stopped answering in the middle of a stage (NVML: {self._lost}).",
                "`dmesg` names the cause (look for Xid); reset the GPU or restart the machine, then run this again.",
            )
        return GpuUse(
            util_mean=self._over("util", np.mean),
            util_p95=self._over("util", lambda values: np.percentile(values, 95)),
            memory_peak_mb=self._over("memory", np.max),
            power_mean_w=self._over("power", np.mean),
            clock_mean_mhz=self._over("clock", np.mean),
        )

    def close(self) -> None:
        """End the thread; keep the samples."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL_S):
            self._read()

    def _read(self) -> None:
        try:
            self._samples.append({name: _read_figure(reading, self._handle) for name, reading in _READINGS.items()})
        except pynvml.NVMLError as error:
            self._lost = error
            self._closed.set()

    def _over(self, name: str, summary: Callable[[list[float]], Any]) -> float | None:
        values = [value for sample in self._samples if (value := sample[name]) is not None]
        return float(summary(values)) if values else None


_READINGS: dict[str, Callable[[Any], float]] = {
    "util": lambda handle: float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
    "memory": lambda handle: float(pynvml.nvmlDeviceGetMemoryInfo(handle).used) / MEGABYTE,
    "power": lambda handle: float(pynvml.nvmlDeviceGetPowerUsage(handle)) / 1000.0,
    "clock": lambda handle: float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)),
}


def _read_figure(reading: Callable[[Any], float], handle: Any) -> float | None:
    try:
        return reading(handle)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_NoPermission):  # pyright: ignore[reportAttributeAccessIssue]
        return None


def find_gpu(uuid: str) -> Any:
    """NVML's handle of the GPU with this UUID; raises GpuUnavailable with NVML's answer."""
    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError as error:
        raise GpuUnavailable(
            f"CUDA works, but NVML does not give access to GPU {uuid}: {error}. Its utilisation could not be measured.",
            "Install the driver's libnvidia-ml.so.1; in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
        ) from error


def gpus() -> list[str]:
    """Name and UUID of every GPU that NVML lists, regardless of CUDA_VISIBLE_DEVICES; [] if NVML does not answer."""
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return [f"{pynvml.nvmlDeviceGetName(handle)} ({pynvml.nvmlDeviceGetUUID(handle)})" for handle in handles]
    except pynvml.NVMLError:
        return []


@dataclass(frozen=True)
class GpuState:
    """A GPU now: utilisation in percent of the last moment, memory of the whole device in MiB, power in watts. None where the
    card does not report a figure."""

    uuid: str
    name: str
    util: float | None
    memory_mb: float | None
    memory_total_mb: float | None
    power_w: float | None


def gpu_states() -> list[GpuState]:
    """Every GPU that NVML lists, regardless of CUDA_VISIBLE_DEVICES, as it is now; [] if NVML does not answer."""
    try:
        pynvml.nvmlInit()
        return [_state(pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _state(handle: Any) -> GpuState:
    read = {name: _read_figure(reading, handle) for name, reading in {**_READINGS, "total": _total_memory}.items()}
    return GpuState(
        str(pynvml.nvmlDeviceGetUUID(handle)),
        str(pynvml.nvmlDeviceGetName(handle)),
        read["util"],
        read["memory"],
        read["total"],
        read["power"],
    )


def _total_memory(handle: Any) -> float:
    return float(pynvml.nvmlDeviceGetMemoryInfo(handle).total) / MEGABYTE


def driver_version() -> str:
    """The NVIDIA driver's version, or why there is none."""
    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return f"not found: {error}"
