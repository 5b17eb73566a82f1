"""The GPU: asked for, proved, never replaced.

`EARSHOT_DEVICE` is `cuda` (the default) or `cpu`, and nothing else happens. Asked for CUDA, `GpuResource.require()`
proves it before the first model loads: torch sees a device and a kernel runs on it, ctranslate2 (faster-whisper's
engine) sees it and supports the compute type, NVML lets its use be measured. `require_memory()` holds the free memory against
what a model declares; after loading, `assert_placed()` compares where its parameters are with where they should be. Whatever
fails raises GpuUnavailable with what was asked, what was found and what to do. There is no path from here to the other device.

Of several devices the first is used that CUDA_VISIBLE_DEVICES leaves visible.

Assets call `require()` themselves: checked while resources are set up, a missing device would end the whole run, `audio`
included.
"""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.common.errors import GpuUnavailable
from earshot.models.measurement import ExecutionInfo
from earshot.models.nvml import MEGABYTE, driver_version, find_gpu, gpus
from earshot.models.registry import Model

if TYPE_CHECKING:
    import torch

COMPUTE_TYPES = {"cuda": "float16", "cpu": "int8"}  # ctranslate2's, per device
CPU_INSTEAD = "To run on the CPU on purpose, set EARSHOT_DEVICE=cpu."


@dataclass(frozen=True)
class Device:
    """A device that was proved to work: `kind` as torch and ctranslate2 name it, `name` for people.

    `uuid` is NVML's name of a GPU, "" for the CPU.
    """

    kind: str
    name: str
    uuid: str = ""


def configure_libraries() -> None:
    """Settings of the process that must be in place before torch is first imported, unless the user made others.

    How long OpenMP's threads spin before they sleep: with its default, two torch threads on a machine whose other core is busy
    took 9.4 s for work that one thread does in 0.5 s; without any spinning each of a network's many small steps waits for a
    thread to wake, and two threads are slower than one. Five hundred looks, some microseconds, are between
    (docs/measurements/performance.md). And pyannote.audio reports usage to its makers unless told not to: what a user
    transcribes is private.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "500")
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def require_device(kind: str) -> Device:
    """The device of this kind, proved once per process. A failure is not remembered: a driver may come back."""
    configure_libraries()
    return _prove_cuda() if kind == "cuda" else Device("cpu", cpu_name())


@cache
def _prove_cuda() -> Device:
    import ctranslate2
    import torch

    if not torch.cuda.is_available():
        raise _unavailable(
            f"torch finds no CUDA device{_undetected()}", "Check that `nvidia-smi` lists the GPU in this environment."
        )
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
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    find_gpu(uuid)
    return Device("cuda", torch.cuda.get_device_name(), uuid)


def _undetected() -> str:
    """What NVML lists and torch does not see."""
    listed = gpus()
    if not listed:
        return ""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    reason = f"CUDA_VISIBLE_DEVICES is {visible!r}" if visible is not None else "CUDA_VISIBLE_DEVICES is not set"
    return f", though NVML lists {', '.join(listed)} and {reason}"


def _unavailable(finding: str, remedy: str) -> GpuUnavailable:
    return GpuUnavailable(
        f"EARSHOT_DEVICE asks for cuda, but {finding} (NVIDIA driver {driver_version()}, {library_versions()}).",
        f"{remedy} {CPU_INSTEAD}",
    )


def require_memory(device: Device, *models: Model) -> None:
    """Raise GpuUnavailable unless the GPU has as much free memory as these models declare; the CPU is not asked."""
    if device.kind != "cuda":
        return
    import torch

    free, total = (size / MEGABYTE for size in torch.cuda.mem_get_info())
    needed = sum(model.memory_mb for model in models)
    if free < needed:
        raise GpuUnavailable(
            f"{device.name} has {free:.0f} MB of {total:.0f} MB free, and {' + '.join(model.name for model in models)} "
            f"needs {needed} MB.",
            "`nvidia-smi` lists what uses it; EARSHOT_MODELS=bundled needs less.",
        )


def assert_placed(model_name: str, wanted: str, found: str) -> None:
    """Raise GpuUnavailable unless a loaded model is on the device that was asked for."""
    if found != wanted:
        raise GpuUnavailable(f"Model {model_name} was loaded for {wanted}, but its parameters are on {found}.")


def assert_compute_type(model_name: str, wanted: str, found: str) -> None:
    """Raise GpuUnavailable unless ctranslate2 took the compute type it was asked for; it may convert by itself.

    `int8` is answered by what the rest is computed in too, such as `int8_float32`.
    """
    if found.partition("_")[0] != wanted:
        raise GpuUnavailable(f"Model {model_name} was to compute in {wanted}, but does in {found}.", CPU_INSTEAD)


def execution_of_network(network: "torch.nn.Module", model: Model, device: Device, batch_size: int) -> ExecutionInfo:
    """Where this network's parameters are at this moment, and in which precision."""
    parameter = next(network.parameters())
    return execution_info(parameter.device.type, str(parameter.dtype).removeprefix("torch."), model, device, batch_size)


def execution_info(found: str, compute_type: str, model: Model, device: Device, batch_size: int) -> ExecutionInfo:
    """What was asked of a model (`device`, `batch_size`) beside the kind of device and the precision it was found in."""
    return ExecutionInfo(
        device_asked=device.kind,
        device=found,
        device_name=device.name if found == device.kind else cpu_name(),
        model=model.name,
        model_revision=model.revision,
        compute_type=compute_type,
        batch_size=batch_size,
    )


@cache
def library_versions() -> str:
    """The versions of the libraries that compute, in one line."""
    names = ("torch", "ctranslate2", "faster-whisper", "pyannote.audio", "sentence-transformers")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


@cache
def cpu_name() -> str:
    """The processor's model, as Linux names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
