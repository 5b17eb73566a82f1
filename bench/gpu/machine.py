"""The machine: its GPU, driver and packages, and the GPU's limits: speeds of a copy and of a matrix product.

bench/gpu/libraries.py and bench/gpu/device.py test whether Earshot works on it.
"""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable
from typing import Any

from bench.gpu.findings import Findings
from bench.harness.figures import measured_on
from earshot.models.device import cpu_name

PACKAGES = (
    "torch", "numpy", "pandas", "scipy", "onnxruntime", "transformers", "sentence-transformers", "ctranslate2", "dagster",
    "pyannote-audio", "fsspec",
)  # fmt: skip
SIDE = 8192  # of the matrices
GIBIBYTE = 2**30
TIMES = 10


def machine(found: Findings) -> None:
    """Versions of everything, bytes copied and operations per second."""
    packages = {package.name: package.version for package in importlib.metadata.distributions()}
    card = _output_of("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,uuid", "--format=csv,noheader")
    found.tell(
        f"{card or 'no NVIDIA GPU'}; kernel {platform.release()}; {os.cpu_count()} cores; Python {platform.python_version()}",
        nvidia_smi=_output_of("nvidia-smi"),
    )
    found.tell(cpu_name(), packages=packages, nvcc=_output_of("nvcc", "--version"))
    on = measured_on(card)
    found.tell(f"commit {on['commit']}", **on)
    known = {name.lower().replace(".", "-"): version for name, version in packages.items()}
    found.tell(", ".join(f"{name} {known.get(name, 'MISSING')}" for name in PACKAGES))
    import torch

    if not torch.cuda.is_available():
        found.tell("torch finds no CUDA device")
        return
    found.tell(f"torch CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}")
    copied, multiplied = _ceilings()
    found.tell(f"copies {copied:.2f} TB/s, multiplies {multiplied:.0f} TFLOP/s in float16", copy_tb_s=copied, tflops=multiplied)


def _ceilings() -> tuple[float, float]:
    """Terabytes per second read and written by a copy, and half-precision TFLOP/s."""
    import torch

    source, target = (torch.empty(GIBIBYTE, dtype=torch.uint8, device="cuda") for _ in range(2))
    left, right = (torch.randn(SIDE, SIDE, device="cuda", dtype=torch.float16) for _ in range(2))
    copy_s, product_s = _device_seconds(lambda: target.copy_(source)), _device_seconds(lambda: left @ right)
    return 2 * GIBIBYTE / copy_s / 1e12, 2 * SIDE**3 / product_s / 1e12


def _device_seconds(work: Callable[[], Any]) -> float:
    """Mean seconds of one call, by the device's own clock."""
    import torch

    for _ in range(3):
        work()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(TIMES):
        work()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1000 / TIMES


def _output_of(*command: str) -> str:
    """The output of a command; "" if it does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
