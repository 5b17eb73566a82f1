"""Batching: retries model calls that run out of memory with half the batch, down to one input.

Every model call of every stage goes through `with_oom_fallback()`. It records in the stage's tally, and so in its timing, which
batch size fitted and how often it was halved. If a single input does not fit, the stage fails with a clear error; it never
moves to another device. Errors of the CUDA device itself (lost, a failed kernel) become GpuUnavailable: nothing works on that
device until the process restarts.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from earshot.common.errors import REINSTALL, GpuUnavailable, OutOfMemory
from earshot.models.measurement import CallCounter

Result = TypeVar("Result")

# Messages of torch, cuBLAS and ctranslate2, whose RuntimeErrors differ in nothing else.
MEMORY_SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
LIBRARY_SIGN = "is not found or cannot be loaded"
DEVICE_SIGNS = ("CUDA error", "CUDA failed", "CUDNN_STATUS", "CUBLAS_STATUS")


def with_oom_fallback(work: Callable[[int], Result], batch_size: int, tally: CallCounter) -> Result:
    """Call `work(batch_size)`, halving the batch each time memory runs out.

    Raises OutOfMemory if a single input does not fit, GpuUnavailable if the device failed.
    """
    before = replace(tally)
    while True:
        try:
            return work(batch_size)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise _explained(error) from error
            if batch_size == 1:
                raise OutOfMemory(
                    f"Memory ran out with one input at a time: {_first_line(error)}",
                    "Close other programs that use the device (see nvidia-smi), or choose a smaller model set, then try again.",
                ) from error
        # Outside the except block, whose traceback keeps the memory in use. The failed attempt's counts are reset.
        batch_size //= 2
        tally.inputs, tally.calls, tally.batch_size = before.inputs, before.calls, batch_size
        tally.memory_retries += 1
        _release_cached_memory()


def spread_sizes(most: int) -> list[int]:
    """Batch sizes for a warm-up, from one to `most`, each four times the previous."""
    sizes = [most]
    while sizes[-1] > 1:
        sizes.append(max(1, sizes[-1] // 4))
    return sizes[::-1]


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in MEMORY_SIGNS)


def _explained(error: BaseException) -> BaseException:
    """The error to raise: GpuUnavailable for a failure of the device or its libraries, else the error itself."""
    if LIBRARY_SIGN in str(error):
        return GpuUnavailable(
            f"A CUDA library is missing: {_first_line(error)}.",
            f"{REINSTALL}, with the libraries of CUDA 12 that ctranslate2 opens.",
        )
    if not any(sign in str(error) for sign in DEVICE_SIGNS):
        return error
    return GpuUnavailable(
        f"The GPU failed in the middle of a stage: {_first_line(error)}",
        "Run it again: a new process resets the device. If the error returns, `dmesg` names the cause (look for Xid).",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _release_cached_memory() -> None:
    """Make torch's allocator release its unused blocks, for ctranslate2 among others."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
