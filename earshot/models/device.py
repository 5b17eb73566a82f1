"""The device: checks that the requested device works, and never falls back to another one.

`EARSHOT_DEVICE` is `cuda` (the default) or `cpu`. For CUDA, `GpuResource.require()` checks before the first model loads that
torch sees a device and runs a kernel on it, that ctranslate2 (faster-whisper's engine) sees it and supports the compute type,
and that NVML can measure its utilisation. `require_memory()` compares the free memory with what a model declares; after
loading, `assert_placed()` compares the device of its parameters with the requested one. Every failure raises GpuUnavailable
with what was requested, what was found and what to do.

With several GPUs, the first one visible in CUDA_VISIBLE_DEVICES is used.

Assets call `require()` themselves: a check during resource setup would fail the whole run, including `audio`. NVML is imported
where CUDA is used, which saves the time on a CPU.
"""

import importlib.metadata
import os
import platform
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from earshot.common.errors import REINSTALL, GpuUnavailable, ModelUnavailable
from earshot.models.measurement import ExecutionInfo
from earshot.models.registry import Model

if TYPE_CHECKING:
    import torch

COMPUTE_TYPES = {"cuda": "float16", "cpu": "int8"}  # ctranslate2's, per device
INSTALL_TORCH = "Install Earshot with CUDA (docs/guides/operation/install.md)."
CPU_INSTEAD = "To run on the CPU on purpose, set EARSHOT_DEVICE=cpu."


@dataclass(frozen=True)
class Device:
    """A device that works: `kind` is torch's and ctranslate2's name for it, `name` is for people.

    `uuid` identifies a GPU to NVML, "" for the CPU.
    """

    kind: str
    name: str
    uuid: str = ""


def configure_libraries() -> None:
    """Set environment variables that must be in place before torch is first imported; the user's own values stay.

    GOMP_SPINCOUNT is how long OpenMP's threads spin before they sleep. With the default, two torch threads on a machine with
    one busy core took 9.4 s for work that one thread does in 0.5 s; without spinning, each of a network's many small steps
    waits for a thread to wake, and two threads are slower than one. Five hundred spins, a few microseconds, are a compromise
    (docs/measurements/performance.md). pyannote.audio's telemetry is switched off for privacy. So is its long warning that
    torchcodec finds no FFmpeg: here it gets waveforms and never decodes.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "500")
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", message=r"\ntorchcodec is not installed correctly")


def compute_threads() -> int:
    """How many threads a model may compute with on the CPU: OMP_NUM_THREADS if it is set, else all cores of the process.

    torch and OpenMP obey the variable by themselves; ctranslate2 and ONNX Runtime take the number as an argument.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))


def require_device(kind: str) -> Device:
    """The device of this kind, checked once per process. Failures are not cached: a driver may come back."""
    configure_libraries()
    if kind == "cpu":
        return Device("cpu", cpu_name())
    if not has_torch():
        raise _unavailable("torch is not installed", INSTALL_TORCH)
    return _prove_cuda()


def has_torch() -> bool:
    """Whether torch is installed: a GPU needs it, and so does a network of the hub on any device."""
    return find_spec("torch") is not None


def require_torch(model: Model) -> None:
    """Raise ModelUnavailable if torch, which runs this model, is not installed."""
    if not has_torch():
        raise ModelUnavailable(f"Model {model.name} needs torch, which is not installed.", INSTALL_TORCH)


@cache
def _prove_cuda() -> Device:
    import ctranslate2
    import torch

    from earshot.models.nvml import find_gpu

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
        raise _unavailable("ctranslate2 finds no CUDA device", f"{REINSTALL}: its CUDA libraries must be CUDA 12.")
    wanted = COMPUTE_TYPES["cuda"]
    supported = ctranslate2.get_supported_compute_types("cuda")
    if wanted not in supported:
        raise _unavailable(f"ctranslate2 supports {sorted(supported)} on it, not {wanted}", "A newer GPU is needed.")
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    find_gpu(uuid)
    return Device("cuda", torch.cuda.get_device_name(), uuid)


def _undetected() -> str:
    """The part of the message about GPUs that NVML lists and torch does not see."""
    from earshot.models.nvml import gpus

    listed = gpus()
    if not listed:
        return ""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    reason = f"CUDA_VISIBLE_DEVICES is {visible!r}" if visible is not None else "CUDA_VISIBLE_DEVICES is not set"
    return f", though NVML lists {', '.join(listed)} and {reason}"


def _unavailable(finding: str, remedy: str) -> GpuUnavailable:
    from earshot.models.nvml import driver_version

    return GpuUnavailable(
        f"EARSHOT_DEVICE asks for cuda, but {finding} (NVIDIA driver {driver_version()}, {library_versions()}).",
        f"{remedy} {CPU_INSTEAD}",
    )


def require_memory(device: Device, *models: Model) -> None:
    """Raise GpuUnavailable unless the GPU has as much free memory as these models declare; passes on the CPU."""
    if device.kind != "cuda":
        return
    import torch

    from earshot.models.nvml import MEGABYTE

    free, total = (size / MEGABYTE for size in torch.cuda.mem_get_info())
    needed = sum(model.memory_mb for model in models)
    if free < needed:
        raise GpuUnavailable(
            f"{device.name} has {free:.0f} MB of {total:.0f} MB free, and {' + '.join(model.name for model in models)} "
            f"needs {needed} MB.",
            "`nvidia-smi` lists what uses it; EARSHOT_MODELS=bundled needs less.",
        )


def assert_placed(model_name: str, wanted: str, found: str) -> None:
    """Raise GpuUnavailable unless a loaded model is on the requested device."""
    if found != wanted:
        raise GpuUnavailable(f"Model {model_name} was loaded for {wanted}, but its parameters are on {found}.")


def assert_compute_type(model_name: str, wanted: str, found: str) -> None:
    """Raise GpuUnavailable unless ctranslate2 uses the requested compute type; it may convert to another.

    For `int8` it also reports the type of the remaining computations, such as `int8_float32`.
    """
    if found.partition("_")[0] != wanted:
        raise GpuUnavailable(f"Model {model_name} should compute in {wanted}, but computes in {found}.", CPU_INSTEAD)


def execution_of_network(network: "torch.nn.Module", model: Model, device: Device, batch_size: int) -> ExecutionInfo:
    """The device and precision of this network's parameters, read now."""
    parameter = next(network.parameters())
    return execution_info(parameter.device.type, str(parameter.dtype).removeprefix("torch."), model, device, batch_size)


def execution_info(found: str, compute_type: str, model: Model, device: Device, batch_size: int) -> ExecutionInfo:
    """Combines what was requested of a model (`device`, `batch_size`) with the device and precision it really has."""
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
    """The versions of the computing libraries that are installed, in one line."""
    names = ("torch", "onnxruntime", "ctranslate2", "faster-whisper", "pyannote.audio", "sentence-transformers")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names if find_spec(name.replace("-", "_")))


@cache
def cpu_name() -> str:
    """The processor's model name, from Linux if possible."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
