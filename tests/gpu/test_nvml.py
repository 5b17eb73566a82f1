"""The sampled use of a busy GPU, compared with `nvidia-smi` at the same time."""

import subprocess
import time

import pytest
import torch

from earshot.common.errors import GpuUnavailable
from earshot.models.device import Device, require_device
from earshot.models.nvml import GpuSampler, GpuUse

WORKING_S = 3.0
QUERY = "utilization.gpu,memory.used,power.draw,clocks.sm"


@pytest.fixture(scope="module")
def busy() -> tuple[GpuUse, list[float]]:
    """What the sampler and `nvidia-smi` saw of a GPU that multiplies matrices all the time."""
    device = require_device("cuda")
    matrix = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    _multiply(matrix, 0.5)
    sampler = GpuSampler(device.uuid)
    smi = subprocess.Popen(
        ["nvidia-smi", f"--id={device.uuid}", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits", "--loop-ms=200"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    _multiply(matrix, WORKING_S)
    smi.terminate()
    use = sampler.use()
    sampler.close()
    lines = [[float(each) for each in line.split(",")] for line in smi.communicate()[0].splitlines()]
    return use, [sorted(column)[len(column) // 2] for column in zip(*lines, strict=True)]


def _multiply(matrix: torch.Tensor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(20):
            torch.matmul(matrix, matrix)
        torch.cuda.synchronize()


def test_utilisation_of_a_busy_gpu_is_high(busy: tuple[GpuUse, list[float]]) -> None:
    use, (utilisation, *_) = busy
    assert use.util_p95 is not None
    assert use.util_p95 >= 90
    assert utilisation >= 90


def test_memory_matches_nvidia_smi(busy: tuple[GpuUse, list[float]]) -> None:
    use, (_, memory, *_) = busy
    # nvidia-smi excludes what the driver reserves, some hundred megabytes.
    assert use.memory_peak_mb == pytest.approx(memory, abs=1024)


def test_power_and_clock_match_nvidia_smi(busy: tuple[GpuUse, list[float]]) -> None:
    use, (_, _, power, clock) = busy
    assert use.power_mean_w == pytest.approx(power, rel=0.25)
    assert use.clock_mean_mhz == pytest.approx(clock, rel=0.25)


def test_unknown_uuid_is_refused(cuda: Device) -> None:
    with pytest.raises(GpuUnavailable, match="NVML does not give access"):
        GpuSampler(cuda.uuid.replace("GPU-", "GPU-f"))
