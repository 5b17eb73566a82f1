"""Batching: model calls that run out of memory are tried again with half the batch, down to one.

Every model call of every stage goes through `with_oom_fallback()`. What happened is left in the stage's tally, and from there
in its timing: the batch size that fitted and how often it was halved. With a batch of one the stage fails, in plain words; it
never goes on on the other device. Errors of the CUDA device itself (lost, a kernel gone wrong) become GpuUnavailable here:
after one, nothing works on that device until the process starts anew.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from earshot.common.errors import GpuUnavailable, OutOfMemory
from earshot.models.measurement import CallCounter

Result = TypeVar("Result")

# What torch, cuBLAS and ctranslate2 say, in RuntimeErrors that nothing else tells apart.
MEMORY_SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
LIBRARY_SIGN = "is not found or cannot be loaded"
DEVICE_SIGNS = ("CUDA error", "CUDA failed", "CUDNN_STATUS", "CUBLAS_STATUS")


def with_oom_fallback(work: Callable[[int], Result], batch_size: int, tally: CallCounter) -> Result:
    """`work(batch_size)`, with the batch halved as often as memory runs out.

    Raises OutOfMemory where one input at a time does not fit, GpuUnavailable where the device failed.
    """
    before = replace(tally)
    while True:
        try:
            return work(batch_size)
        except (RuntimeError, MemoryError) as error:
            if not _of_memory(error):
                raise _explained(error) from error
            if batch_size == 1:
                raise OutOfMemory(
                    f"Memory ran out with one input at a time: {_first_line(error)}",
                    "Close what else uses the device (nvidia-smi lists it), or choose a smaller model set, then try again.",
                ) from error
        # Out of the except block, whose traceback kept what filled the memory. What the failed try counted is done again.
        batch_size //= 2
        tally.inputs, tally.calls, tally.batch_size = before.inputs, before.calls, batch_size
        tally.memory_retries += 1
        _give_back_cache()


def spread_sizes(most: int) -> list[int]:
    """Batch sizes from one to `most`, each four times the one before: what a warm-up tries."""
    sizes = [most]
    while sizes[-1] > 1:
        sizes.append(max(1, sizes[-1] // 4))
    return sizes[::-1]


def _of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in MEMORY_SIGNS)


def _explained(error: BaseException) -> BaseException:
    """The error itself, unless the device or its libraries are to blame."""
    if LIBRARY_SIGN in str(error):
        return GpuUnavailable(
            f"A CUDA library is missing: {_first_line(error)}.",
            "Run `make env`: it installs the libraries of CUDA 12 that ctranslate2 opens.",
        )
    if not any(sign in str(error) for sign in DEVICE_SIGNS):
        return error
    return GpuUnavailable(
        f"The GPU failed in the middle of a stage: {_first_line(error)}",
        "Run it again: a new process starts the device anew. If it comes back, `dmesg` names the cause (look for Xid).",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _give_back_cache() -> None:
    """Let torch's allocator give its unused blocks back, to ctranslate2 among others."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
