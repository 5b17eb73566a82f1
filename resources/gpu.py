"""The GPU: asked for, proved, never replaced.

`EARSHOT_DEVICE` is `cuda` (the default) or `cpu`, and nothing else happens. Asked for CUDA, `GpuResource.require()`
proves it before the first model loads: torch sees a device and a kernel runs on it, ctranslate2 (faster-whisper's
engine) sees it and supports the compute type. After loading, `assert_placed()` reads from each model where its
parameters are. Whatever fails raises GpuUnavailable with what was asked, what was found and what to do. There is no
path from here to the other device.

Assets call `require()` themselves: checked while resources are set up, a missing device would end the whole run, `audio`
included.
"""

import importlib.metadata
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dagster import ConfigurableResource

from resources.errors import GpuUnavailable
from resources.settings import read_settings

COMPUTE_TYPES = {"cuda": "float16", "cpu": "int8"}  # ctranslate2's, per device
CPU_INSTEAD = "To run on the CPU on purpose, set EARSHOT_DEVICE=cpu."


@dataclass(frozen=True)
class Device:
    """A device that was proved to work: `kind` as torch and ctranslate2 name it, `name` for people."""

    kind: str
    name: str


class GpuResource(ConfigurableResource):
    """Gives assets the device that the user asked for, or an error."""

    def require(self) -> Device:
        """The proved device; raises GpuUnavailable."""
        return require_device(read_settings().device)


def require_device(kind: str) -> Device:
    """The device of this kind, proved once per process. A failure is not remembered: a driver may come back."""
    return _prove_cuda() if kind == "cuda" else Device("cpu", cpu_name())


@cache
def _prove_cuda() -> Device:
    import ctranslate2
    import torch

    if not torch.cuda.is_available():
        raise _unavailable("torch finds no CUDA device", "Check that `nvidia-smi` lists the GPU in this environment.")
    try:
        total = torch.ones(1024, device="cuda").sum().item()
        torch.cuda.synchronize()
    except RuntimeError as error:
        raise _unavailable(f"a kernel does not run on it: {error}", "Check driver and CUDA versions.") from error
    if total != 1024:
        raise _unavailable(f"a kernel returned {total} for 1024 ones", "The device or its driver is broken.")
    if ctranslate2.get_cuda_device_count() == 0:
        raise _unavailable("ctranslate2 finds no CUDA device", "Run `make env`: its CUDA libraries must be CUDA 12.")
    wanted = COMPUTE_TYPES["cuda"]
    supported = ctranslate2.get_supported_compute_types("cuda")
    if wanted not in supported:
        raise _unavailable(f"ctranslate2 supports {sorted(supported)} on it, not {wanted}", "A newer GPU is needed.")
    return Device("cuda", torch.cuda.get_device_name())


def _unavailable(finding: str, remedy: str) -> GpuUnavailable:
    return GpuUnavailable(
        f"EARSHOT_DEVICE asks for cuda, but {finding} (NVIDIA driver {driver_version()}, "
        f"torch {importlib.metadata.version('torch')}, ctranslate2 {importlib.metadata.version('ctranslate2')}).",
        f"{remedy} {CPU_INSTEAD}",
    )


def assert_placed(model_name: str, wanted: str, found: str) -> None:
    """Raise GpuUnavailable unless a loaded model is on the device that was asked for."""
    if found != wanted:
        raise GpuUnavailable(f"Model {model_name} was loaded for {wanted}, but its parameters are on {found}.")


def driver_version() -> str:
    """The NVIDIA driver's version, or why there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return f"not found: {error}"
    return str(version)


@cache
def cpu_name() -> str:
    """The processor's model, as Linux names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
