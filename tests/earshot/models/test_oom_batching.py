"""Batching when memory runs out: the errors of torch and ctranslate2 are raised at their boundary, on any machine."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from earshot.common.errors import GpuUnavailable, OutOfMemory
from earshot.models.cache import Models
from earshot.models.device import Device, cpu_name
from earshot.models.measurement import CallCounter
from earshot.models.oom_batching import spread_sizes, with_oom_fallback
from earshot.models.text.int8_encoder import Int8Encoder

TORCH = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")
CTRANSLATE2 = RuntimeError("CUDA failed with error out of memory")
CUBLAS = RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")


class Work:
    """Model calls over 100 inputs, which fit up to a batch size; records the calls."""

    def __init__(self, fits: int, error: BaseException) -> None:
        self.fits, self.error, self.sizes = fits, error, list[int]()
        self.counter = CallCounter()

    def __call__(self, batch_size: int) -> str:
        self.sizes.append(batch_size)
        self.counter.count(min(batch_size, 100))
        if batch_size > self.fits:
            raise self.error
        self.counter.count(100 - min(batch_size, 100), calls=max(0, 100 // batch_size - 1))
        return f"in batches of {batch_size}"


@pytest.mark.parametrize("error", [TORCH, CTRANSLATE2, CUBLAS, MemoryError()])
def test_batch_is_halved_until_it_fits(error: BaseException) -> None:
    work = Work(fits=9, error=error)
    assert with_oom_fallback(work, 64, work.counter) == "in batches of 8"
    assert work.sizes == [64, 32, 16, 8]
    assert (work.counter.batch_size, work.counter.memory_retries) == (8, 3)


def test_failed_attempts_are_not_counted() -> None:
    work = Work(fits=25, error=TORCH)
    work.counter.count(7)  # by an earlier call of the stage
    with_oom_fallback(work, 100, work.counter)
    assert work.counter.inputs == 107


def test_fitting_batch_counts_no_retry() -> None:
    work = Work(fits=64, error=TORCH)
    with_oom_fallback(work, 64, work.counter)
    assert (work.counter.batch_size, work.counter.memory_retries) == (None, 0)


@pytest.mark.parametrize("error", [TORCH, CTRANSLATE2, MemoryError()])
def test_single_input_that_does_not_fit_is_out_of_memory(error: BaseException) -> None:
    work = Work(fits=0, error=error)
    with pytest.raises(OutOfMemory, match="one input at a time") as failed:
        with_oom_fallback(work, 8, work.counter)
    assert work.sizes == [8, 4, 2, 1]
    assert "nvidia-smi" in failed.value.remedy
    assert failed.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA", "dmesg"),
        ("CUDA failed with error an illegal memory access was encountered", "dmesg"),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "dmesg"),
        ("Library libcublas.so.12 is not found or cannot be loaded", "make env"),
    ],
)
def test_gpu_error_is_not_retried(error: str, remedy: str) -> None:
    work = Work(fits=0, error=RuntimeError(error))
    with pytest.raises(GpuUnavailable, match=error.partition("\n")[0]) as failed:
        with_oom_fallback(work, 8, work.counter)
    assert work.sizes == [8]
    assert "\n" not in failed.value.message
    assert remedy in failed.value.remedy


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (3, [1, 3]), (32, [1, 2, 8, 32]), (256, [1, 4, 16, 64, 256])])
def test_warm_up_tries_sizes_from_one_to_the_largest(most: int, sizes: list[int]) -> None:
    assert spread_sizes(most) == sizes


def test_any_other_error_passes_unchanged() -> None:
    work = Work(fits=0, error=RuntimeError("expected a tensor"))
    with pytest.raises(RuntimeError, match="expected a tensor"):
        with_oom_fallback(work, 8, work.counter)


@pytest.mark.slow
def test_smaller_batches_give_the_same_vectors(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    encoder = Models().text_encoder(Device("cpu", cpu_name()))
    texts = [f"Sentence number {index} about something else." for index in range(20)]
    expected = encoder.encode(texts)
    assert isinstance(encoder, Int8Encoder)
    forward = encoder._forward

    def runs_out(few: Sequence[Sequence[int]]) -> np.ndarray:
        if len(few) > 4:
            raise TORCH
        return forward(few)

    monkeypatch.setattr(encoder, "_forward", runs_out)
    counter = CallCounter()
    assert np.allclose(encoder.encode(texts, counter), expected, atol=1e-6)
    assert (counter.batch_size, counter.memory_retries, counter.inputs) == (4, 2, 20)
    assert counter.calls == 5
