"""NVML is substituted: two GPUs, a lost one, one with few readings, none at all."""

import time
from collections.abc import Iterator
from typing import Any

import pynvml
import pytest

from earshot.common.errors import GpuUnavailable
from earshot.models.measurement import Measurement
from earshot.models.nvml import GpuSampler, GpuUse, driver_version, find_gpu, gpus

FIRST, SECOND = "GPU-aaaa", "GPU-bbbb"


class Driver:
    """Two GPUs: the first idle, the second busy. `lost` makes all later readings fail."""

    def __init__(self) -> None:
        self.lost = False
        self.readings = 0
        self.utilisation: Iterator[int] = iter([0, *([90] * 1000)])

    def util(self, handle: str) -> Any:
        self.readings += 1
        if self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return type("Rates", (), {"gpu": next(self.utilisation) if handle == SECOND else 0})

    def memory(self, handle: str) -> Any:
        return type("Memory", (), {"used": (3000 if handle == SECOND else 1) * 1024 * 1024})

    def power(self, _handle: str) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: (FIRST, SECOND)[index],
        "nvmlDeviceGetHandleByUUID": _known,
        "nvmlDeviceGetName": lambda _handle: "NVIDIA GeForce RTX 5080",
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetUtilizationRates": made.util,
        "nvmlDeviceGetMemoryInfo": made.memory,
        "nvmlDeviceGetPowerUsage": made.power,
        "nvmlDeviceGetClockInfo": lambda _handle, _clock: 2500,
        "nvmlSystemGetDriverVersion": lambda: "580.1",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    return made


def _known(uuid: str) -> str:
    if uuid not in (FIRST, SECOND):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
    return uuid


def test_gpu_is_sampled_by_uuid(driver: Driver) -> None:
    sampler = GpuSampler(SECOND)
    while driver.readings < 4:
        time.sleep(0.01)
    sampler.close()
    use = sampler.use()
    assert use.util_p95 == 90.0
    assert use.util_mean is not None
    assert 0.0 < use.util_mean < 90.0  # the first sample, before the work began, counts
    assert use.memory_peak_mb == 3000.0
    assert use.clock_mean_mhz == 2500.0


@pytest.mark.usefixtures("driver")
def test_unsupported_reading_is_none() -> None:
    sampler = GpuSampler(FIRST)
    sampler.close()
    assert sampler.use().power_mean_w is None
    assert sampler.use().util_mean == 0.0


def test_short_stage_has_two_samples(driver: Driver) -> None:
    sampler = GpuSampler(SECOND)
    assert sampler.use().util_p95 is not None
    assert driver.readings >= 2
    sampler.close()


def test_lost_gpu_is_an_error(driver: Driver) -> None:
    measurement = Measurement()
    measurement.sample(FIRST)
    driver.lost = True
    with pytest.raises(GpuUnavailable, match="GPU is lost"):
        measurement.gpu_use()
    measurement.close()


def test_nothing_is_sampled_without_gpu() -> None:
    measurement = Measurement()
    assert measurement.gpu_use() == GpuUse(None, None, None, None, None)
    measurement.close()


def test_closed_sampler_reads_no_more(driver: Driver) -> None:
    sampler = GpuSampler(FIRST)
    sampler.close()
    before = driver.readings
    time.sleep(0.3)
    assert driver.readings == before


@pytest.mark.usefixtures("driver")
def test_unknown_gpu_is_refused_with_a_remedy() -> None:
    with pytest.raises(GpuUnavailable, match="GPU-cccc: Not Found") as refused:
        find_gpu("GPU-cccc")
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in refused.value.remedy


@pytest.mark.usefixtures("driver")
def test_gpus_have_name_and_uuid() -> None:
    assert gpus() == [f"NVIDIA GeForce RTX 5080 ({uuid})" for uuid in (FIRST, SECOND)]
    assert driver_version() == "580.1"


def test_nothing_is_listed_without_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert driver_version() == "not found: NVML Shared Library Not Found"
    assert gpus() == []
    with pytest.raises(GpuUnavailable, match="NVML Shared Library Not Found"):
        find_gpu(FIRST)
