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
        self.fits, self.error, self.tried = fits, error, list[int]()
        self.tally = CallCounter()

    def __call__(self, batch_size: int) -> str:
        self.tried.append(batch_size)
        self.tally.count(min(batch_size, 100))
        if batch_size > self.fits:
            raise self.error
        self.tally.count(100 - min(batch_size, 100), calls=max(0, 100 // batch_size - 1))
        return f"in batches of {batch_size}"


@pytest.mark.parametrize("error", [TORCH, CTRANSLATE2, CUBLAS, MemoryError()])
def test_the_batch_is_halved_until_it_fits_and_the_tally_tells(error: BaseException) -> None:
    work = Work(fits=9, error=error)
    assert with_oom_fallback(work, 64, work.tally) == "in batches of 8"
    assert work.tried == [64, 32, 16, 8]
    assert (work.tally.batch_size, work.tally.memory_retries) == (8, 3)


def test_what_the_failed_tries_counted_is_not_counted_twice() -> None:
    work = Work(fits=25, error=TORCH)
    work.tally.count(7)  # what another call of the same stage counted before
    with_oom_fallback(work, 100, work.tally)
    assert work.tally.inputs == 107


def test_what_fits_leaves_no_trace() -> None:
    work = Work(fits=64, error=TORCH)
    with_oom_fallback(work, 64, work.tally)
    assert (work.tally.batch_size, work.tally.memory_retries) == (None, 0)


@pytest.mark.parametrize("error", [TORCH, CTRANSLATE2, MemoryError()])
def test_one_input_that_does_not_fit_is_a_clear_failure_after_every_half(error: BaseException) -> None:
    work = Work(fits=0, error=error)
    with pytest.raises(OutOfMemory, match="Memory ran out with one input at a time") as failed:
        with_oom_fallback(work, 8, work.tally)
    assert work.tried == [8, 4, 2, 1]
    assert "nvidia-smi" in failed.value.remedy
    assert failed.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA"),
        RuntimeError("CUDA failed with error an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_a_device_lost_in_the_middle_is_named_and_not_tried_again(error: RuntimeError) -> None:
    work = Work(fits=0, error=error)
    with pytest.raises(GpuUnavailable, match="The GPU failed in the middle of a stage: ") as failed:
        with_oom_fallback(work, 8, work.tally)
    assert work.tried == [8]
    assert "\n" not in failed.value.message
    assert "dmesg" in failed.value.remedy


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (3, [1, 3]), (32, [1, 2, 8, 32]), (256, [1, 4, 16, 64, 256])])
def test_warm_up_tries_sizes_from_one_to_the_largest(most: int, sizes: list[int]) -> None:
    assert spread_sizes(most) == sizes


def test_missing_cuda_library_is_named_with_its_remedy() -> None:
    work = Work(fits=0, error=RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"))
    with pytest.raises(GpuUnavailable, match=r"A CUDA library is missing: Library libcublas\.so\.12 is not found") as failed:
        with_oom_fallback(work, 8, work.tally)
    assert work.tried == [8]
    assert "make env" in failed.value.remedy


def test_any_other_error_passes_unchanged() -> None:
    work = Work(fits=0, error=RuntimeError("expected a tensor"))
    with pytest.raises(RuntimeError, match="expected a tensor"):
        with_oom_fallback(work, 8, work.tally)


@pytest.mark.slow
def test_a_real_model_whose_memory_runs_out_gives_the_same_vectors_in_smaller_batches(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    encoder = Models().text_encoder(Device("cpu", cpu_name()))
    texts = [f"Sentence number {index} about something else." for index in range(20)]
    expected = encoder.encode(texts)
    assert isinstance(encoder, Int8Encoder)
    forward = encoder._forward

    def runs_out(few: Sequence[str], counted: CallCounter) -> np.ndarray:
        if len(few) > 4:
            counted.count(len(few))
            raise TORCH
        return forward(few, counted)

    monkeypatch.setattr(encoder, "_forward", runs_out)
    tally = CallCounter()
    assert np.allclose(encoder.encode(texts, tally), expected, atol=1e-6)
    assert (tally.batch_size, tally.memory_retries, tally.inputs) == (4, 3, 20)
    assert tally.calls == 5
