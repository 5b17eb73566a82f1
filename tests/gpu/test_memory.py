"""A GPU whose memory is nearly full: what does not fit is refused or halved, and the result is the same."""

import numpy as np
import pytest

from bench.gpu.device import filled
from earshot.common.errors import GpuUnavailable, OutOfMemory
from earshot.models.cache import Models
from earshot.models.device import Device, require_memory
from earshot.models.measurement import CallCounter
from earshot.models.registry import SETS

LONG_TEXTS = [" ".join(f"word{number % 97}" for number in range(index, index + 240)) for index in range(1024)]


def test_batch_is_halved_until_it_fits(cuda: Device, models: Models) -> None:
    encoder = models.text_encoder(cuda)
    expected, counter = encoder.encode(LONG_TEXTS), CallCounter()
    with filled(left_mb=150):
        found = encoder.encode(LONG_TEXTS, counter)
    assert counter.memory_retries >= 1
    assert counter.batch_size is not None
    assert counter.batch_size < encoder.execution.batch_size
    assert encoder.execution.device == "cuda"
    assert (found * expected).sum(axis=1).min() >= 0.999


def test_single_input_that_does_not_fit_is_an_error(cuda: Device, models: Models) -> None:
    voice = models.voice_encoder(cuda)
    with filled(left_mb=2), pytest.raises(OutOfMemory, match="one input at a time"):
        voice.encode(np.zeros(128_000, dtype=np.float32), [(0, 128_000)] * 64)


def test_model_that_does_not_fit_is_refused(cuda: Device) -> None:
    with filled(left_mb=200), pytest.raises(GpuUnavailable, match=r"MB free, and whisper-base needs 400 MB"):
        require_memory(cuda, SETS["bundled"].speech)
