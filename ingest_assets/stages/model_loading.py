"""Loads the model of a stage: proves the device first, measures the load, and counts the loads of this process."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dagster import DagsterExecutionInterruptedError

from earshot.models import cache
from earshot.models.device import Device
from earshot.models.measurement import Measurement
from resources.gpu import GpuResource
from resources.instance.dagster_internals import capture_interrupts, check_captured_interrupt

Loaded = TypeVar("Loaded")

_loads: Counter[tuple[str, str]] = Counter()  # by asset and loader


def load_model(asset: str, measurement: Measurement, gpu: GpuResource, load: Callable[[Device], Loaded]) -> Loaded:
    """Load a model of this asset on the configured device with `load`, and start sampling the utilisation of a GPU."""
    before, loaded_s, loader = cache.loads(), measurement.load_s, (asset, load.__name__)
    with measurement.loading(), _uninterrupted():
        device = gpu.require()
        model = load(device)
    if cache.loads() > before:
        _loads[loader] += 1
    else:
        measurement.load_s = loaded_s  # warm
    measurement.model_loads = max(measurement.model_loads, _loads[loader])
    if device.uuid:
        measurement.sample(device.uuid)
    return model


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay a run's cancellation until after the block: after an interrupted `import torch`, every later import fails."""
    with capture_interrupts():
        yield
        interrupted = check_captured_interrupt()
    if interrupted:
        raise DagsterExecutionInterruptedError
